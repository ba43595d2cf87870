package app

// Step makes the application read and fill so few rows at a time, so that small markets take many steps.
func (p *Provider) Step(rows int) { p.sizes = sizes{made: rows, stream: rows, fill: rows} }
