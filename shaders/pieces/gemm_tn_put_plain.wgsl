// Stores tiles of gemm_tn as they are, into a y that has room for the margins: rows up to a multiple
// of 32, columns up to a multiple of 64.

fn put(i: u32, v: vec4f) {
    var w = v;
    if p.accumulate != 0u { w += vec4f(y[y_at / 4u + i]); }
    y[y_at / 4u + i] = vec4<y_type>(w);
}

fn put_rows(left: ptr<function, Rows>, right: ptr<function, Rows>, e: u32, taps: u32, n: u32, batch: u32) {
    let s = p.y_row >> 2u;
    let i = (p.y_offset + batch * p.y_batch + e * p.y_row + n) >> 2u;
    put(i, (*left)[0]); put(i + 8u, (*right)[0]);
    put(i + s, (*left)[1]); put(i + s + 8u, (*right)[1]);
    put(i + 2u * s, (*left)[2]); put(i + 2u * s + 8u, (*right)[2]);
    put(i + 3u * s, (*left)[3]); put(i + 3u * s + 8u, (*right)[3]);
}

