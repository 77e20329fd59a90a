// Matrices of 16 by 16: the factors of f16, their sums of f32.

alias Left = coop_mat16x16<f16, A>;
alias Right = coop_mat16x16<f16, B>;
alias Sum = coop_mat16x16<f32, C>;
const MATRIX: u32 = 16u;

