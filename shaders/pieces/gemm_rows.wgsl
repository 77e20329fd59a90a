// The register tile of the matrix products for software drivers: eight rows by four columns a lane.
//
// The tile is straight-line code on vec4f with constant indices, because llvmpipe turns a private array with a
// run-time index, or a loop too large to unroll, into gathers that run ten times slower (measured).

alias Rows = array<vec4f, 8>;

// Four k of b, four columns a lane.
struct Strip { k0: vec4f, k1: vec4f, k2: vec4f, k3: vec4f }

fn row(t: vec4f, a: vec4f, b: Strip) -> vec4f {
    return t + ((a.x * b.k0 + a.y * b.k1) + (a.z * b.k2 + a.w * b.k3));
}

// Lane r holds four k of row r in `a`. Both halves of a row together, so that its broadcast lives in one register
// and dies at once.
fn add_rows(left: ptr<function, Rows>, right: ptr<function, Rows>, a: vec4f, b: Strip, c: Strip) {
    { let s = subgroupShuffle(a, 0u); (*left)[0] = row((*left)[0], s, b); (*right)[0] = row((*right)[0], s, c); }
    { let s = subgroupShuffle(a, 1u); (*left)[1] = row((*left)[1], s, b); (*right)[1] = row((*right)[1], s, c); }
    { let s = subgroupShuffle(a, 2u); (*left)[2] = row((*left)[2], s, b); (*right)[2] = row((*right)[2], s, c); }
    { let s = subgroupShuffle(a, 3u); (*left)[3] = row((*left)[3], s, b); (*right)[3] = row((*right)[3], s, c); }
    { let s = subgroupShuffle(a, 4u); (*left)[4] = row((*left)[4], s, b); (*right)[4] = row((*right)[4], s, c); }
    { let s = subgroupShuffle(a, 5u); (*left)[5] = row((*left)[5], s, b); (*right)[5] = row((*right)[5], s, c); }
    { let s = subgroupShuffle(a, 6u); (*left)[6] = row((*left)[6], s, b); (*right)[6] = row((*right)[6], s, c); }
    { let s = subgroupShuffle(a, 7u); (*left)[7] = row((*left)[7], s, b); (*right)[7] = row((*right)[7], s, c); }
}

