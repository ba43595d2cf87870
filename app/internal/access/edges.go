package access

import (
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// Edges says where rows can begin: a domain.Grid for bars, Instants for ticks.
type Edges interface {
	// Floor returns the last edge at or before t.
	Floor(t time.Time) time.Time

	// Ceil returns the first edge at or after t.
	Ceil(t time.Time) time.Time

	// Align returns r with both ends moved up to an edge.
	Align(r domain.Range) domain.Range
}

// Instants are the edges of trades and quotes, which can begin at any microsecond.
type Instants struct{}

// Floor returns t to the microsecond.
func (Instants) Floor(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// Ceil returns t, because domain.NewRange rounds bounds up to the microsecond.
func (Instants) Ceil(t time.Time) time.Time { return t }

// Align returns r.
func (Instants) Align(r domain.Range) domain.Range { return r }
