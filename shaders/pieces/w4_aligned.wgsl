// Four neighbours of w, where rows of w hold a multiple of four.

@group(0) @binding(1) var<storage, read> w: array<vec4<w_type>>;

fn load_w4(i: u32, left: u32) -> vec4f { return vec4f(w[(w_at + i) >> 2u]); }

