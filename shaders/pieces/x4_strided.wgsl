// Up to four elements of x, `stride` apart; what lies beyond `left` elements counts as zero.

@group(0) @binding(0) var<storage, read> x: array<x_type>;

fn load_x4(i: u32, stride: u32, left: u32) -> vec4f {
    let first = x_at + i;
    var v = vec4f(f32(x[first]), 0.0, 0.0, 0.0);
    if left > 1u { v.y = f32(x[first + stride]); }
    if left > 2u { v.z = f32(x[first + 2u * stride]); }
    if left > 3u { v.w = f32(x[first + 3u * stride]); }
    return v;
}

