// A texture of vec4f used as a long line of texels: texel i lies at (i mod 4096, i / 4096).
//
// Why a texture: on llvmpipe a storage-buffer access is a loop over the lanes with a branch per
// element (20 ns for eight lanes of vec4f), while a storage-texture load is straight-line vector
// code (5 ns). Everything that a matrix product reads many times is therefore packed into texels
// once, in the order in which the product reads it.
const TEXELS_LOG2: u32 = 12u;
fn texel(i: u32) -> vec2u { return vec2u(i & ((1u << TEXELS_LOG2) - 1u), i >> TEXELS_LOG2); }
