package domain

import (
	"fmt"
	"math/rand/v2"
)

// Version identifies a state of a series, or of a block of one: equal versions of one series mean equal bars. The zero
// Version is that of a series that was never written, and of a block without a bar.
//
// The nonce tells apart two states of one revision, which exist where a store was restored from a backup or lost its
// last writes in a failover.
type Version struct {
	Revision int64  `json:"revision"` // number of writes that changed the series
	Nonce    uint64 `json:"nonce"`    // random, drawn for each write
}

// Next returns the version of the state after one more write.
func (v Version) Next() Version {
	return Version{Revision: v.Revision + 1, Nonce: rand.Uint64()}
}

// String is the revision and the nonce: "12-00c0ffee00c0ffee".
func (v Version) String() string { return fmt.Sprintf("%d-%016x", v.Revision, v.Nonce) }
