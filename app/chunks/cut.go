package chunks

import (
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// latest is the last instant of data, which has years from 1 to 9999.
var latest = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)

func rangeOf(start, end domain.Micros) domain.Range {
	return domain.Range{Start: start.Time(), End: end.Time()}
}

// key is the cache's key of chunk i.
func (s *Store) key(series domain.SeriesKey, c domain.BlockLayout, i int64) ports.ChunkKey {
	start, end := c.Bounds(i)
	return ports.ChunkKey{Store: s.cfg.Name, Series: series, Start: start, End: end}
}
