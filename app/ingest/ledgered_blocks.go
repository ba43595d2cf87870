package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/blockhash"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/ledger"
)

// blockReader reads and verifies blocks of one series.
type blockReader struct {
	store  *LedgeredStore
	key    domain.SeriesKey
	layout domain.BlockLayout
}

func (s *LedgeredStore) blocksOf(key domain.SeriesKey) blockReader {
	return blockReader{s, key, domain.BarBlocks(key.Grid)}
}

// bounds returns the range of the blocks [from, to).
func (b blockReader) bounds(from, to int64) domain.Range {
	return b.layout.Range(from, to)
}

// read returns the covered bars of the blocks of a record, which ascend. The bars are read now, and verified. It does
// not read what is not covered, because a write that died may have left half a bar there. Where a row is no bar, the
// error is errMismatch: a range that the record covers has no writer, unless the series has a new version.
func (b blockReader) read(
	ctx context.Context, record ledger.Record, blocks []domain.BlockState,
) ([]domain.Series, error) {
	if len(blocks) == 0 {
		return nil, nil
	}

	var pieces []domain.Series
	within := b.bounds(blocks[0].Index, blocks[len(blocks)-1].Index+1)
	for _, r := range domain.ClipRanges(record.State.Coverage, within) {
		read, err := b.readRange(ctx, r)
		if errors.Is(err, ports.ErrCorruptData) {
			err = fmt.Errorf("%w: %w", errMismatch, err)
		}
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, read...)
	}

	return b.verify(record, blocks, pieces)
}

// readRange returns the stored bars of r.
func (b blockReader) readRange(ctx context.Context, r domain.Range) (pieces []domain.Series, err error) {
	for bars, err := range b.store.bars.ReadBarsOnce(ctx, ports.BarQuery{Key: b.key, Range: r}).Rows() {
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, bars)
	}
	if err := ctx.Err(); err != nil {
		return nil, b.store.failure(ports.ContextKind(err), "read bars", b.key, err)
	}

	return pieces, nil
}

// verify returns the covered bars of each block. It returns errMismatch if they are not those of the record.
func (b blockReader) verify(
	record ledger.Record, blocks []domain.BlockState, pieces []domain.Series,
) (verified []domain.Series, err error) {
	hashes := hashesOf(record)
	for _, block := range blocks {
		var bars int
		var sum uint64
		var parts []domain.Series
		bounds := b.bounds(block.Index, block.Index+1)
		for _, r := range domain.ClipRanges(record.State.Coverage, bounds) {
			for _, piece := range pieces {
				if part := piece.Clip(r); part.Len() > 0 {
					parts = append(parts, part)
					bars, sum = bars+part.Len(), sum+blockhash.OfBars(part)
				}
			}
		}

		hash := hashes[block.Index]
		if bars != block.Rows || hash.Known && sum != hash.Sum {
			return nil, fmt.Errorf("the block from %s has %d bars with the hash %016x, the ledger has %d with %016x: %w",
				bounds.Start.Format(time.RFC3339), bars, sum, block.Rows, hash.Sum, errMismatch)
		}
		verified = append(verified, parts...)
	}

	return verified, nil
}

func hashesOf(record ledger.Record) map[int64]ledger.BlockHash {
	hashes := make(map[int64]ledger.BlockHash, len(record.Hashes))
	for i, hash := range record.Hashes {
		hashes[record.State.Blocks[i].Index] = hash
	}

	return hashes
}

// sums returns the sums of the bars by block.
func (b blockReader) sums(pieces ...domain.Series) (sums []ledger.BlockSum) {
	for _, bars := range pieces {
		for from := 0; from < bars.Len(); {
			index := b.layout.Index(domain.MicrosFloor(bars.OpenTime(from)))
			part := bars.Slice(from, bars.Len()).Clip(b.bounds(index, index+1))
			sum := ledger.BlockSum{
				Index: index, Bars: part.Len(), Hash: blockhash.OfBars(part),
				First: domain.MicrosFloor(part.OpenTime(0)), Last: domain.MicrosFloor(part.OpenTime(part.Len() - 1)),
			}
			if n := len(sums); n > 0 && sums[n-1].Index == index {
				sum.First, sum.Bars, sum.Hash = sums[n-1].First, sum.Bars+sums[n-1].Bars, sum.Hash+sums[n-1].Hash
				sums[n-1] = sum
			} else {
				sums = append(sums, sum)
			}
			from += part.Len()
		}
	}

	return sums
}
