// y[n, i, j, c] = max of x[n, i * sh - top + u, j * sw - left + v, c] over u < kh, v < kw inside of the map.
// x (n, h, w, c), y (n, ho, wo, c); positions: u * kw + v of the maximum, one byte per element of y, four to a word.
// d_x[e] = sum of d_y over the windows whose maximum is e. Of equal values the first in row-major order is the maximum.
// One invocation computes four neighbouring elements of y, because it owns the word of their positions. `backward`: one
// element of d_x, gathering from the windows that cover it, so that no two write to one place where windows overlap.
// `spread4`, for windows that do not overlap: all of d_x between the start of one window and the next. The kernels on
// vec4 take four channels of one pixel and need c % 4 == 0.
// Source: Keras MaxPooling2D; where the gradient of ties goes follows TensorFlow.

struct P {
    count: u32, // elements of y in `forward`, of d_x in `backward`, windows in `spread4`; in vec4 where they are
    h: u32,
    w: u32,
    c: u32, // in vec4 where the tensors are vec4
    ho: u32,
    wo: u32,
    kh: u32,
    kw: u32,
    sh: u32,
    sw: u32,
    top: u32,
    left: u32,
    cell_rows: u32, // strides that cover the padded map: ho and wo, or one more
    cell_columns: u32,
    accumulate: u32,
}

@group(0) @binding(0) var<storage, read> x: array<x_type>;
@group(0) @binding(1) var<storage, read_write> y: array<y_type>;
@group(0) @binding(2) var<storage, read_write> positions: array<u32>;
@group(0) @binding(3) var<storage, read> x4: array<vec4<x4_type>>;
@group(0) @binding(4) var<storage, read_write> y4: array<vec4<y4_type>>;
@group(0) @binding(5) var<storage, read> d_y: array<d_y_type>;
@group(0) @binding(6) var<storage, read> kept_positions: array<u32>;
@group(0) @binding(7) var<storage, read_write> d_x: array<d_x_type>;
@group(0) @binding(8) var<storage, read> d_y4: array<vec4<d_y4_type>>;
@group(0) @binding(9) var<storage, read_write> d_x4: array<vec4<d_x4_type>>;

const LOWEST = -3.4028234e38;

// Where flat element `e` of a map of `h` rows and `w` columns lies.
struct Place {
    n: u32,
    row: u32,
    column: u32,
    channel: u32,
}

// Remainders by multiplication: software drivers divide lane by lane.
fn place(e: u32, h: u32, w: u32) -> Place {
    let pixel = e / p.c;
    let line = pixel / w;
    let n = line / h;
    return Place(n, line - n * h, pixel - line * w, e - pixel * p.c);
}

struct Best {
    value: f32,
    position: u32,
}

fn window_max(e: u32) -> Best {
    let at = place(e, p.ho, p.wo);
    var best = Best(LOWEST, 0u);
    for (var u = 0u; u < p.kh; u++) {
        for (var v = 0u; v < p.kw; v++) {
            // Above or left of the map these wrap around to huge numbers.
            let row = at.row * p.sh + u - p.top;
            let column = at.column * p.sw + v - p.left;
            if (row < p.h && column < p.w) {
                let value = f32(x[x_at + ((at.n * p.h + row) * p.w + column) * p.c + at.channel]);
                // Not `value > best`: a window of NaN has to stay NaN.
                if (!(value <= best.value)) {
                    best = Best(value, u * p.kw + v);
                }
            }
        }
    }
    return best;
}

@compute @workgroup_size(SIZE)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let word = flat_index(group, groups, local);
    if (4u * word >= p.count) { return; }
    var packed = 0u;
    for (var lane = 0u; lane < 4u; lane++) {
        let e = 4u * word + lane;
        if (e < p.count) {
            let best = window_max(e);
            y[y_at + e] = y_type(best.value);
            packed |= best.position << (8u * lane);
        }
    }
    positions[positions_at + word] = packed;
}

@compute @workgroup_size(SIZE)
fn forward4(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let e = flat_index(group, groups, local);
    if (e >= p.count) { return; }
    let at = place(e, p.ho, p.wo);
    var best = vec4f(LOWEST);
    var position = vec4u(0u);
    for (var u = 0u; u < p.kh; u++) {
        for (var v = 0u; v < p.kw; v++) {
            let row = at.row * p.sh + u - p.top;
            let column = at.column * p.sw + v - p.left;
            if (row < p.h && column < p.w) {
                let value = vec4f(x4[x4_at / 4u + ((at.n * p.h + row) * p.w + column) * p.c + at.channel]);
                let better = !(value <= best);
                best = select(best, value, better);
                position = select(position, vec4u(u * p.kw + v), better);
            }
        }
    }
    y4[y4_at / 4u + e] = vec4<y4_type>(best);
    let shifted = position << vec4u(0u, 8u, 16u, 24u);
    positions[positions_at + e] = shifted.x | shifted.y | shifted.z | shifted.w;
}

// The first window that covers `pixel`, which counts from the edge of the padding.
fn first_window(pixel: u32, window: u32, stride: u32) -> u32 {
    if (pixel < window) { return 0u; }
    return (pixel - window) / stride + 1u;
}

@compute @workgroup_size(SIZE)
fn backward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let e = flat_index(group, groups, local);
    if (e >= p.count) { return; }
    let at = place(e, p.h, p.w);
    let row = at.row + p.top;
    let column = at.column + p.left;
    let last_i = min(row / p.sh, p.ho - 1u);
    let last_j = min(column / p.sw, p.wo - 1u);
    var sum = 0.0;
    for (var i = first_window(row, p.kh, p.sh); i <= last_i; i++) {
        for (var j = first_window(column, p.kw, p.sw); j <= last_j; j++) {
            let pooled = ((at.n * p.ho + i) * p.wo + j) * p.c + at.channel;
            let position = (kept_positions[kept_positions_at + pooled / 4u] >> (8u * (pooled % 4u))) & 255u;
            if (position == (row - i * p.sh) * p.kw + column - j * p.sw) {
                sum += f32(d_y[d_y_at + pooled]);
            }
        }
    }
    if (p.accumulate == 1u) { sum += f32(d_x[d_x_at + e]); }
    d_x[d_x_at + e] = d_x_type(sum);
}

@compute @workgroup_size(SIZE)
fn backward4(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let e = flat_index(group, groups, local);
    if (e >= p.count) { return; }
    let at = place(e, p.h, p.w);
    let row = at.row + p.top;
    let column = at.column + p.left;
    let last_i = min(row / p.sh, p.ho - 1u);
    let last_j = min(column / p.sw, p.wo - 1u);
    var sum = vec4f(0.0);
    for (var i = first_window(row, p.kh, p.sh); i <= last_i; i++) {
        for (var j = first_window(column, p.kw, p.sw); j <= last_j; j++) {
            let pooled = ((at.n * p.ho + i) * p.wo + j) * p.c + at.channel;
            let packed = vec4u(kept_positions[kept_positions_at + pooled]);
            let position = (packed >> vec4u(0u, 8u, 16u, 24u)) & vec4u(255u);
            let here = position == vec4u((row - i * p.sh) * p.kw + column - j * p.sw);
            sum += select(vec4f(0.0), vec4f(d_y4[d_y4_at / 4u + pooled]), here);
        }
    }
    if (p.accumulate == 1u) { sum += vec4f(d_x4[d_x4_at / 4u + e]); }
    d_x4[d_x4_at / 4u + e] = vec4<d_x4_type>(sum);
}

@compute @workgroup_size(SIZE)
fn spread4(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let e = flat_index(group, groups, local);
    if (e >= p.count) { return; }
    let at = place(e, p.cell_rows, p.cell_columns);
    var d = vec4f(0.0);
    var position = vec4u(0u);
    if (at.row < p.ho && at.column < p.wo) {
        let pooled = ((at.n * p.ho + at.row) * p.wo + at.column) * p.c + at.channel;
        d = vec4f(d_y4[d_y4_at / 4u + pooled]);
        let packed = vec4u(kept_positions[kept_positions_at + pooled]);
        position = (packed >> vec4u(0u, 8u, 16u, 24u)) & vec4u(255u);
    }
    for (var u = 0u; u < p.sh; u++) {
        for (var v = 0u; v < p.sw; v++) {
            let row = at.row * p.sh + u - p.top;
            let column = at.column * p.sw + v - p.left;
            if (row < p.h && column < p.w) {
                // Strides may be longer than windows: what lies between has no gradient.
                let inside = vec4<bool>(u < p.kh && v < p.kw);
                let here = (position == vec4u(u * p.kw + v)) & inside;
                var sum = select(vec4f(0.0), d, here);
                let to = d_x4_at / 4u + ((at.n * p.h + row) * p.w + column) * p.c + at.channel;
                if (p.accumulate == 1u) { sum += vec4f(d_x4[to]); }
                d_x4[to] = vec4<d_x4_type>(sum);
            }
        }
    }
}
