// Stores register tiles as they are, into a y that has room for the margins: rows up to a multiple of ROWS, columns
// up to a multiple of 64. Fifteen per cent faster than masked stores where k is short (measured).

fn put_rows(t: ptr<function, Rows>, m: u32, n: u32, y_first: u32) {
    let i = (y_at + y_first + m * p.y_row + n) >> 2u;
    let s = p.y_row >> 2u;
    y[i] = (*t)[0];
    y[i + s] = (*t)[1];
    y[i + 2u * s] = (*t)[2];
    y[i + 3u * s] = (*t)[3];
    y[i + 4u * s] = (*t)[4];
    y[i + 5u * s] = (*t)[5];
    y[i + 6u * s] = (*t)[6];
    y[i + 7u * s] = (*t)[7];
}

