// Lines of a Winograd tile, its rows or its columns: points before the product, outputs behind it, and taps of the weight.
// F(4x4, 3x3) fills them; F(2x2, 3x3) leaves e and f of the points and c and d of the outputs alone.

struct Points { a: vec4f, b: vec4f, c: vec4f, d: vec4f, e: vec4f, f: vec4f }
struct Outputs { a: vec4f, b: vec4f, c: vec4f, d: vec4f }
struct Taps { a: vec4f, b: vec4f, c: vec4f }

