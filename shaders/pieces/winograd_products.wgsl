// What the products of the transformed matrices left, f32, one matrix for each point of a tile.

@group(0) @binding(0) var<storage, read> x: array<vec4f>;

// Row z of a tile's points; `first` is where its four channels lie in the first matrix.
fn row_of_points(z: u32, first: u32) -> Points {
    let s = p.z_stride;
    let i = x_at / 4u + first + z * POINTS * s;
    var v = Points(x[i], x[i + s], x[i + 2u * s], x[i + 3u * s], vec4f(), vec4f());
    if POINTS == 6u {
        v.e = x[i + 4u * s];
        v.f = x[i + 5u * s];
    }
    return v;
}

