// Copies a map into texels with its padding written out, so that a convolution needs no bounds.
//
// x    (n, h, w, c) NHWC
// out  texels (n, h_out, w_out, c / 4 rounded up): pixel (y, x) of x lies at (pad_h + y * step_y, pad_w + x * step_x);
//      everything else is zero. step is 1, or the stride of the convolution whose
//      d_x is computed.
//
// One invocation computes one texel: groups (w_out * c4 / 8 rounded up, h_out, n).

struct P {
    h: u32, w: u32, c: u32,
    c4: u32,
    h_out: u32, w_out: u32,
    pad_h: u32, pad_w: u32,
    step_y: u32, step_x: u32,
}

@group(0) @binding(1) var out: texture_storage_2d<rgba32float, write>;

@compute @workgroup_size(8)
fn halo(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let j = group.x * 8u + lane;
    if j >= p.w_out * p.c4 { return; }
    let column = j / p.c4;
    let c = 4u * (j - column * p.c4);
    let y = group.y - p.pad_h; // a negative number is a large u32
    let x = column - p.pad_w;
    var value = vec4f();
    if y < p.h * p.step_y && x < p.w * p.step_x && y % p.step_y == 0u && x % p.step_x == 0u {
        let i = ((group.z * p.h + y / p.step_y) * p.w + x / p.step_x) * p.c + c;
        value = load_x4(i, 1u, p.c - c);
    }
    textureStore(out, texel((group.z * p.h_out + group.y) * p.w_out * p.c4 + j), value);
}
