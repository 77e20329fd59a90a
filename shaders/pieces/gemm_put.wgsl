// Stores register tiles with bias, accumulation or ReLU; rows and columns beyond y are left out.

fn put(i: u32, left: u32, value: vec4f) {
    var v = value;
    if p.accumulate != 0u { v += load_y4(i, left); }
    let least = vec4f(p.floor);
    store_y4(i, left, select(v, least, v < least)); // unlike max, this lets a NaN through
}

fn put_rows(t: ptr<function, Rows>, m: u32, n: u32, y_first: u32) {
    if n >= p.n || m >= p.m { return; }
    let left = p.n - n;
    let rows = p.m - m;
    let add = bias4(n);
    let i = y_first + m * p.y_row + n;
    put(i, left, (*t)[0] + add);
    if rows > 1u { put(i + p.y_row, left, (*t)[1] + add); }
    if rows > 2u { put(i + 2u * p.y_row, left, (*t)[2] + add); }
    if rows > 3u { put(i + 3u * p.y_row, left, (*t)[3] + add); }
    if rows > 4u { put(i + 4u * p.y_row, left, (*t)[4] + add); }
    if rows > 5u { put(i + 5u * p.y_row, left, (*t)[5] + add); }
    if rows > 6u { put(i + 6u * p.y_row, left, (*t)[6] + add); }
    if rows > 7u { put(i + 7u * p.y_row, left, (*t)[7] + add); }
}

