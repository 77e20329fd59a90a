// Shared piece: counter-based random numbers, the same on every adapter and in `src/ops/random.rs`.
// Source of the hash: Jarzynski and Olano, Hash Functions for GPU Rendering, JCGT 9(3), 2020, section 4.2 (pcg4d).

fn pcg4d(key: vec4u) -> vec4u {
    var v = key * 1664525u + 1013904223u;
    v.x += v.y * v.w;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    v.w += v.y * v.z;
    v = v ^ (v >> vec4u(16u));
    v.x += v.y * v.w;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    v.w += v.y * v.z;
    return v;
}

// Four random words: numbers 4 * quad to 4 * quad + 3 of `sample`, which counts within the whole batch.
fn random4(seed: u32, layer: u32, iteration: u32, sample: u32, quad: u32) -> vec4u {
    let key = pcg4d(vec4u(seed, layer, iteration, sample));
    return pcg4d(vec4u(key.x ^ quad, key.y, key.z, key.w));
}
