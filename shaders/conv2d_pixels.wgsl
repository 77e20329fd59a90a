// Copies an image into texels as the network was trained on it, with its padding written out: `preprocess` and `conv2d_halo`
// in one pass.
//
// x    (n, h, w, 3) u8, four to a word, or x_floats (n, h, w, 3) f32 of 0 to 255
// out  texels (n, h_out, w_out): pixel (y, x) lies at (pad_h + y, pad_w + x); everything else, and the fourth channel, is zero
//
// One invocation computes one texel: groups (w_out / 8 rounded up, h_out, n).

struct P {
    h: u32, w: u32,
    h_out: u32, w_out: u32,
    pad_h: u32, pad_w: u32,
    red_x: f32, red_y: f32, red_z: f32,
    green_x: f32, green_y: f32, green_z: f32,
    blue_x: f32, blue_y: f32, blue_z: f32,
    offset_x: f32, offset_y: f32, offset_z: f32,
}

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var out: texture_storage_2d<rgba32float, write>;
@group(0) @binding(2) var<storage, read> x_floats: array<f32>;

// The pixel's place in all images, and whether it lies in one.
struct Place {
    pixel: u32,
    inside: bool,
}

fn place(group: vec3u, column: u32) -> Place {
    let y = group.y - p.pad_h; // a negative number is a large u32
    let x = column - p.pad_w;
    return Place((group.z * p.h + y) * p.w + x, y < p.h && x < p.w);
}

fn put(group: vec3u, column: u32, value: vec4f) {
    textureStore(out, texel((group.z * p.h_out + group.y) * p.w_out + column), value);
}

// Three bytes, which lie in one word or in two.
fn colour(pixel: u32) -> vec3f {
    let first = 3u * pixel;
    let word = x_at + first / 4u;
    let shift = 8u * (first % 4u);
    var bits = x[word] >> shift;
    if shift > 8u { bits |= x[word + 1u] << (32u - shift); }
    return vec3f((vec3u(bits) >> vec3u(0u, 8u, 16u)) & vec3u(255u));
}

@compute @workgroup_size(8)
fn halo_of_bytes(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let column = group.x * 8u + lane;
    if column >= p.w_out { return; }
    let at = place(group, column);
    var value = vec4f();
    if at.inside { value = vec4f(mapped(colour(at.pixel)), 0.0); }
    put(group, column, value);
}

@compute @workgroup_size(8)
fn halo_of_floats(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let column = group.x * 8u + lane;
    if column >= p.w_out { return; }
    let at = place(group, column);
    var value = vec4f();
    if at.inside {
        let first = x_floats_at + 3u * at.pixel;
        value = vec4f(mapped(vec3f(x_floats[first], x_floats[first + 1u], x_floats[first + 2u])), 0.0);
    }
    put(group, column, value);
}
