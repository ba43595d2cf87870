package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"

	"github.com/spf13/cobra"
)

// build describes the program as the Go toolchain recorded it.
type build struct {
	Version  string `json:"version"`            // of the module; (devel) if the build had none
	Revision string `json:"revision,omitempty"` // of the repository; empty if the build did not record it
	Time     string `json:"time,omitempty"`     // of the revision, RFC 3339
	Modified bool   `json:"modified"`           // the work tree differed; false if not recorded
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// currentBuild returns the build of the running program.
func currentBuild() build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{GoVersion: runtime.Version()}
	}

	return newBuild(info)
}

func newBuild(info *debug.BuildInfo) build {
	settings := make(map[string]string, len(info.Settings))
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}

	return build{
		Version:  cmp.Or(info.Main.Version, "(devel)"),
		Revision: settings["vcs.revision"],
		Time:     settings["vcs.time"],
		Modified: settings["vcs.modified"] == "true",
		Go:       info.GoVersion,
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
}

// String returns the build in one line, for --version.
func (b build) String() string {
	revision := cmp.Or(b.Revision, "unknown")
	if b.Modified {
		revision += ", modified"
	}

	return fmt.Sprintf("%s (revision %s) %s %s", b.Version, revision, b.Go, b.Platform)
}

func (b build) properties() []property {
	modified := ""
	if b.Revision != "" {
		modified = strconv.FormatBool(b.Modified)
	}

	return []property{
		{"version", b.Version}, {"revision", b.Revision}, {"time", b.Time},
		{"modified", modified},
		{"go", b.Go}, {"platform", b.Platform},
	}
}

func (c *command) versionCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Long: "Print the version of this program, the revision it was built from and whether\n" +
			"the source was modified, the Go version and the platform. marketdata --version\n" +
			"prints the same in one line.",
		Example: "  marketdata version\n  marketdata version --output json",
		Args:    arguments("no arguments", 0, 0),
		RunE: func(*cobra.Command, []string) error {
			if err := c.defaultOutput(&output); err != nil {
				return err
			}

			return c.runVersion(output)
		},
	}
	outputFlag(cmd.Flags(), &output)

	return cmd
}

func (c *command) runVersion(output string) error {
	b := currentBuild()
	switch output {
	case formatJSON:
		return writeJSON(c.out, b)
	case formatNDJSON:
		return writeNDJSON(c.out, func(yield func(build) bool) { yield(b) })
	}

	return propertyList.print(c.out, output, b.properties())
}
