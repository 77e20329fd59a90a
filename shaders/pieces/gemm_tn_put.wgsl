// Stores tiles of gemm_tn as (kh, kw, ci, co), leaving out the padding of the channels.

// Row e of the run, at columns n ..
fn put(e: u32, taps: u32, n: u32, batch: u32, v: vec4f) {
    let tap = e / (4u * p.c4);
    let c = e - tap * 4u * p.c4;
    if e >= p.run || c >= p.c || n >= p.n { return; }
    let i = p.y_offset + batch * p.y_batch + ((taps + tap) * p.c + c) * p.y_row + n;
    var w = v;
    if p.accumulate != 0u { w += load_y4(i, p.n - n); }
    store_y4(i, p.n - n, w);
}

fn put_rows(left: ptr<function, Rows>, right: ptr<function, Rows>, e: u32, taps: u32, n: u32, batch: u32) {
    put(e, taps, n, batch, (*left)[0]); put(e, taps, n + 32u, batch, (*right)[0]);
    put(e + 1u, taps, n, batch, (*left)[1]); put(e + 1u, taps, n + 32u, batch, (*right)[1]);
    put(e + 2u, taps, n, batch, (*left)[2]); put(e + 2u, taps, n + 32u, batch, (*right)[2]);
    put(e + 3u, taps, n, batch, (*left)[3]); put(e + 3u, taps, n + 32u, batch, (*right)[3]);
}

