// Four neighbours of y, where rows of y hold a multiple of four.

@group(0) @binding(3) var<storage, read_write> y: array<vec4<y_type>>;

fn load_y4(i: u32, left: u32) -> vec4f { return vec4f(y[(y_at + i) >> 2u]); }
fn store_y4(i: u32, left: u32, v: vec4f) { y[(y_at + i) >> 2u] = vec4<y_type>(v); }

