package ingest

import "time"

// SetWait sets how long the store waits for the write of another.
func SetWait(s *LedgeredStore, d time.Duration) { s.wait = d }

// SetRenewAfter sets the age from which intents are renewed before a request; 0 renews them before each.
func SetRenewAfter(s *LedgeredStore, d time.Duration) { s.renewAfter = d }
