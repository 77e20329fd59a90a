// Four neighbours of x, where every run starts at a multiple of four and holds a multiple of four.

@group(0) @binding(0) var<storage, read> x: array<vec4<x_type>>;

fn load_x4(i: u32, stride: u32, left: u32) -> vec4f { return vec4f(x[(x_at + i) >> 2u]); }

