package domain

// StoreName is the name of a store in the configuration. It identifies the store in results, errors, diagnostics and
// cache keys. Empty where no store is involved.
type StoreName string
