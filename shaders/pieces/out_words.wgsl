// What is written, as a buffer of vec4f.

@group(0) @binding(1) var<storage, read_write> out: array<vec4f>;

fn put(i: u32, v: vec4f) { out[out_at / 4u + i] = v; }

