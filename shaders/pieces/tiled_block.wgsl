// Four k of four neighbours along m or n: k[j] holds the four neighbours at k + j.

struct Block { k: array<vec4f, 4> }

fn transposed(a: vec4f, b: vec4f, c: vec4f, d: vec4f) -> Block {
    return Block(array<vec4f, 4>(
        vec4f(a.x, b.x, c.x, d.x), vec4f(a.y, b.y, c.y, d.y), vec4f(a.z, b.z, c.z, d.z), vec4f(a.w, b.w, c.w, d.w),
    ));
}

// Which blocks of a tile the t-th of an operand's loaders loads: (outer quad, k quad), neighbours along the contiguous side.
fn block_of(t: u32, along_k: u32) -> vec2u {
    if along_k != 0u { return vec2u(t / (DEPTH / 4u), t % (DEPTH / 4u)); }
    return vec2u(t % COLUMNS, t / COLUMNS);
}

// The next block of an invocation's operand.
fn load_block(loads_x: bool, x_spot: ptr<function, X>, w_spot: ptr<function, W>, end: u32) -> Block {
    if loads_x {
        let block = x_block(x_spot, end);
        x_next(x_spot);
        return block;
    }
    let block = w_block(w_spot, end);
    w_next(w_spot);
    return block;
}
