// Six values of a row or column of a Winograd tile, and four or three of them.

struct Six { a: vec4f, b: vec4f, c: vec4f, d: vec4f, e: vec4f, f: vec4f }
struct Four { a: vec4f, b: vec4f, c: vec4f, d: vec4f }
struct Three { a: vec4f, b: vec4f, c: vec4f }

