// Up to four neighbours of y; `left` of them exist.

@group(0) @binding(3) var<storage, read_write> y: array<y_type>;

fn load_y4(i: u32, left: u32) -> vec4f {
    let first = y_at + i;
    var v = vec4f(f32(y[first]), 0.0, 0.0, 0.0);
    if left > 1u { v.y = f32(y[first + 1u]); }
    if left > 2u { v.z = f32(y[first + 2u]); }
    if left > 3u { v.w = f32(y[first + 3u]); }
    return v;
}

fn store_y4(i: u32, left: u32, v: vec4f) {
    let first = y_at + i;
    y[first] = y_type(v.x);
    if left > 1u { y[first + 1u] = y_type(v.y); }
    if left > 2u { y[first + 2u] = y_type(v.z); }
    if left > 3u { y[first + 3u] = y_type(v.w); }
}

