// Four channels of a map x whose channels are a multiple of four.

@group(0) @binding(0) var<storage, read> x: array<vec4<x_type>>;

fn x4(i: u32) -> vec4f { return vec4f(x[x_at / 4u + i]); }

