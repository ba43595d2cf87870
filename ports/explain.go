package ports

import "context"

// ReadExplainer returns the query plans of a store's server.
type ReadExplainer interface {
	// ExplainRead returns the server's plan for q. It must not read a bar. Safe for concurrent use.
	ExplainRead(ctx context.Context, q BarQuery) (ReadPlan, error)
}

// ReadPlan is a server's plan for a query.
type ReadPlan struct {
	Lines  []string `json:"lines"`  // the server's text, with its indentation
	Advice []string `json:"advice"` // sentences on how to fix problems of the plan, if any
}
