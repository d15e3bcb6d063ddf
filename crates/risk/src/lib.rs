//! Pure margin mathematics over positions and open orders.
