package access

import (
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// TakeBlocks returns those of the blocks that have so many bars of the query, from the end if it has Last, and the
// others. A query without a limit takes all. A block that the range of the query cuts counts as empty, one of unknown
// rows as full.
func TakeBlocks(
	layout domain.BlockLayout, blocks []domain.BlockState, q ports.BarQuery, bars int,
) (taken, rest []domain.BlockState) {
	if q.First == 0 && q.Last == 0 {
		return blocks, nil
	}

	n := 0
	for ; n < len(blocks) && bars > 0; n++ {
		b := blocks[n]
		if q.Last > 0 {
			b = blocks[len(blocks)-1-n]
		}

		switch {
		case b.Rows == 0:
			bars -= domain.MaxBlockBars
		case q.Range.Covers(layout.Range(b.Index, b.Index+1)):
			bars -= b.Rows
		}
	}

	if q.Last > 0 {
		return blocks[len(blocks)-n:], blocks[:len(blocks)-n]
	}

	return blocks[:n], blocks[n:]
}
