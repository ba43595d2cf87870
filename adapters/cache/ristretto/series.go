package ristretto

import (
	"unsafe"

	"github.com/gal-friday/marketdata/ports"
)

// DefaultSeriesBytes is room for about 4.7 million bars.
const DefaultSeriesBytes = 256 << 20

var _ ports.SeriesCache = (*Cache[ports.ChunkKey, ports.Chunk])(nil)

// NewSeries returns a Cache of chunks of series; 0 bytes is DefaultSeriesBytes. A bar costs 56 bytes, or up to 96 with
// numbers of more than 64 bits.
func NewSeries(maxBytes int64) (*Cache[ports.ChunkKey, ports.Chunk], error) {
	if maxBytes == 0 {
		maxBytes = DefaultSeriesBytes
	}
	return New(Config[ports.ChunkKey, ports.Chunk]{
		MaxBytes: maxBytes,
		Text:     ports.ChunkKey.String,
		Bytes: func(k ports.ChunkKey, c ports.Chunk) int64 {
			return int64(unsafe.Sizeof(k)) + int64(len(k.Series.Symbol)) + c.Bytes()
		},
	})
}
