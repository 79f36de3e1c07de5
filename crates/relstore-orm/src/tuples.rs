//! Tuples, which Rust cannot be generic over: a macro for each length from one to twelve.

/// Calls `$macro!` with `A 0`, then with `A 0, B 1`, and so on up to twelve.
macro_rules! each_tuple {
    ($macro:ident) => {
        $macro!(A 0);
        $macro!(A 0, B 1);
        $macro!(A 0, B 1, C 2);
        $macro!(A 0, B 1, C 2, D 3);
        $macro!(A 0, B 1, C 2, D 3, E 4);
        $macro!(A 0, B 1, C 2, D 3, E 4, F 5);
        $macro!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
        $macro!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
        $macro!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
        $macro!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
        $macro!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
        $macro!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
    };
}

/// As [`each_tuple`], with a second name for each part: `A PA 0`.
macro_rules! each_proven_tuple {
    ($macro:ident) => {
        $macro!(A PA 0);
        $macro!(A PA 0, B PB 1);
        $macro!(A PA 0, B PB 1, C PC 2);
        $macro!(A PA 0, B PB 1, C PC 2, D PD 3);
        $macro!(A PA 0, B PB 1, C PC 2, D PD 3, E PE 4);
        $macro!(A PA 0, B PB 1, C PC 2, D PD 3, E PE 4, F PF 5);
        $macro!(A PA 0, B PB 1, C PC 2, D PD 3, E PE 4, F PF 5, G PG 6);
        $macro!(A PA 0, B PB 1, C PC 2, D PD 3, E PE 4, F PF 5, G PG 6, H PH 7);
        $macro!(A PA 0, B PB 1, C PC 2, D PD 3, E PE 4, F PF 5, G PG 6, H PH 7, I PI 8);
        $macro!(A PA 0, B PB 1, C PC 2, D PD 3, E PE 4, F PF 5, G PG 6, H PH 7, I PI 8, J PJ 9);
        $macro!(A PA 0, B PB 1, C PC 2, D PD 3, E PE 4, F PF 5, G PG 6, H PH 7, I PI 8, J PJ 9, K PK 10);
        $macro!(A PA 0, B PB 1, C PC 2, D PD 3, E PE 4, F PF 5, G PG 6, H PH 7, I PI 8, J PJ 9, K PK 10, L PL 11);
    };
}

pub(crate) use {each_proven_tuple, each_tuple};
