// y[n, r, c] = x[n, source(r, c)], bilinear: each output pixel looks its colour up in the input.
// x (n, h, w, 3) u8, four to a word; warp (n, 6) f32; y (n, h, w, 3) f32, 0 to 255.
// source = (warp[0] * dr + warp[1] * dc + warp[2], warp[3] * dr + warp[4] * dc + warp[5]), where (dr, dc) is the output
// pixel's place relative to the centre of the image: small numbers, so that f32 loses little.
// One invocation computes one pixel of y.
// Source: Keras apply_affine_transform, which calls scipy.ndimage.affine_transform with order 1; ni_interpolation.c.

struct P {
    pixels: u32, // n * h * w
    h: u32,
    w: u32,
    fill: u32, // 0 nearest, 1 reflect, 2 wrap, 3 constant
    cval: f32,
}

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read> warp: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

// The place in 0 to size - 1 (reflect: -1 to size) whose colour is seen at `at`.
fn place(at: f32, size: f32) -> f32 {
    let last = size - 1.0;
    switch p.fill {
        case 1u: {
            let turn = at - 2.0 * size * floor(at / (2.0 * size));
            return select(turn, 2.0 * size - 1.0 - turn, turn >= size);
        }
        case 2u: {
            if (last == 0.0) { return 0.0; }
            if (at < 0.0) { return at + last * (trunc(-at / last) + 1.0); }
            return select(at, at - last * trunc(at / last), at > last);
        }
        default: { return clamp(at, 0.0, last); }
    }
}

fn colour(pixel: u32) -> vec3f {
    let first = 3u * pixel;
    let shift = 8u * (first % 4u);
    let low = x[x_at + first / 4u] >> shift;
    let high = (x[x_at + (first + 2u) / 4u] << (31u - shift)) << 1u;
    return vec3f((vec3u(low | high) >> vec3u(0u, 8u, 16u)) & vec3u(255u));
}

@compute @workgroup_size(SIZE)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.pixels) { return; }
    let sample = i / (p.h * p.w);
    let size = vec2f(f32(p.h), f32(p.w));
    let from_centre = vec2f(f32(i / p.w % p.h), f32(i % p.w)) - 0.5 * (size - 1.0);
    let m = warp_at + 6u * sample;
    let at = vec2f(
        warp[m] * from_centre.x + warp[m + 1u] * from_centre.y + warp[m + 2u],
        warp[m + 3u] * from_centre.x + warp[m + 4u] * from_centre.y + warp[m + 5u],
    );
    let seen = vec2f(place(at.x, size.x), place(at.y, size.y));
    let low = vec2u(clamp(floor(seen), vec2f(0.0), size - 1.0));
    let high = vec2u(clamp(floor(seen) + 1.0, vec2f(0.0), size - 1.0));
    let t = seen - floor(seen);
    let rows = (sample * p.h + vec2u(low.x, high.x)) * p.w;
    let above = mix(colour(rows.x + low.y), colour(rows.x + high.y), t.y);
    let below = mix(colour(rows.y + low.y), colour(rows.y + high.y), t.y);
    let outside = p.fill == 3u && any(at != seen);
    let result = select(mix(above, below, t.x), vec3f(p.cval), outside);
    y[y_at + 3u * i] = result.x;
    y[y_at + 3u * i + 1u] = result.y;
    y[y_at + 3u * i + 2u] = result.z;
}
