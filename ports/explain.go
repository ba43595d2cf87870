package ports

import "context"

// ReadExplainer tells how a store's server reads.
type ReadExplainer interface {
	// ExplainRead returns how the server would answer q, without reading a bar. Safe for concurrent use.
	ExplainRead(ctx context.Context, q BarQuery) (ReadPlan, error)
}

// ReadPlan is how a server answers a query.
type ReadPlan struct {
	Lines  []string `json:"lines"`  // the server's own words, indented as it does
	Advice []string `json:"advice"` // what to do about what is wrong with it, each a sentence; none where nothing is
}
