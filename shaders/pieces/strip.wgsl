// Four channels of one chunk of rows: what one invocation adds of a tensor (p.rows, p.channels).

struct Strip { c: u32, first: u32, end: u32, at: u32 }

// The i-th strip: rows first .. end of the channels c .. c + 3.
fn strip(i: u32) -> Strip {
    let quads = (p.channels + 3u) / 4u;
    let k = i / quads;
    return Strip(4u * (i - k * quads), k * p.chunk, min((k + 1u) * p.chunk, p.rows), i);
}
