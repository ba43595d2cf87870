package ingest

import "time"

// SetWait sets how long the store waits for the write of another.
func SetWait(s *LedgeredStore, d time.Duration) { s.wait = d }
