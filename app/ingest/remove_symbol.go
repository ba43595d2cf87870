package ingest

import (
	"context"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// RemoveSymbol removes the metadata of a symbol from every catalog. A symbol with data stays, and the error is of kind
// ErrConflict: a *ports.SymbolInUseError names the series. A catalog that is derived from stored bars, such as that of
// InfluxDB, must not list the symbol, also for bars that are not covered. An unknown symbol is no error. A later write
// makes the symbol known again. After another error, some catalogs may have removed the symbol; repeat the call.
func (i *Ingestor) RemoveSymbol(ctx context.Context, symbol domain.Symbol) error {
	const op = "remove symbol"
	if err := symbol.Validate(); err != nil {
		return access.Refusal(op, "", err)
	}

	var removers []*access.Store
	for _, s := range i.stores {
		if _, ok := s.Catalog.(ports.SymbolRemover); ok {
			removers = append(removers, s)
		} else if s.Catalog != nil {
			if err := i.requireUnlisted(ctx, i.symbolCall(op, s, symbol), symbol); err != nil {
				return err
			}
		}
	}

	for _, s := range removers {
		remove := func(ctx context.Context) (ports.WriteReport, error) {
			return ports.WriteReport{}, s.Catalog.(ports.SymbolRemover).RemoveSymbol(ctx, symbol)
		}
		if _, err := i.write(ctx, i.symbolCall(op, s, symbol), symbol, remove); err != nil {
			return err
		}
	}

	return nil
}

func (i *Ingestor) symbolCall(op string, s *access.Store, symbol domain.Symbol) *access.Call {
	return &access.Call{Op: op, Subject: access.Text(symbol), Store: s, Settings: i.settings}
}

// requireUnlisted returns an error if the catalog of a store that removes no symbols lists the symbol.
func (i *Ingestor) requireUnlisted(ctx context.Context, call *access.Call, symbol domain.Symbol) error {
	call.SetDefaultDeadline(ctx, i.stores)
	listed, err := access.Do(ctx, call, access.ReadSymbols, ports.SymbolQuery{Symbols: []domain.Symbol{symbol}})
	if err == nil && len(listed) > 0 {
		err = call.Fault(ports.ErrConflict, &ports.SymbolInUseError{Series: []string{"bars"}})
	}

	return err
}
