// Up to four elements of x, `stride` apart; what lies beyond `left` elements counts as zero.

@group(0) @binding(0) var<storage, read> x: array<f32>;

fn load_x4(i: u32, stride: u32, left: u32) -> vec4f {
    let first = x_at + i;
    var v = vec4f(x[first], 0.0, 0.0, 0.0);
    if left > 1u { v.y = x[first + stride]; }
    if left > 2u { v.z = x[first + 2u * stride]; }
    if left > 3u { v.w = x[first + 3u * stride]; }
    return v;
}

