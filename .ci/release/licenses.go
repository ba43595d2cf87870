package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// licenseFile is a file that states a license of a module.
type licenseFile struct {
	name     string // the path inside the module, with slashes
	text     string
	licenses []string // SPDX identifiers, set by checkModule
}

// allowed lists the SPDX identifiers of the licenses that a linked module may have. All are compatible with Apache-2.0
// and are satisfied by NOTICE.
var allowed = []string{
	"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT",
	"GooglePatentsFile", // a patent grant beside BSD-3-Clause
}

// minPercent is how much of a license file must match the texts of known licenses. The rest is copyright lines.
const minPercent = 75

// review records that a person has read a license file that is not recognized, or that names a license that is not
// allowed.
type review struct {
	module, file string
	sha256       string // of the text that was read; another text needs another review
	licenses     []string
}

var reviewed = []review{
	{ // the attribution that Apache-2.0 asks to be kept with the module, whose LICENSE it is
		module: "github.com/agext/levenshtein", file: "NOTICE",
		sha256:   "5f8cebc9aab3ce69ade921efb14caec472c34f22566e015df9512111dcacae06",
		licenses: nil,
	},
	{ // Go is BSD-3-Clause; musl, go-netdb and nixpkgs are MIT; parts of musl are BSD-2-Clause
		module: "modernc.org/libc", file: "LICENSE-3RD-PARTY.md",
		sha256:   "f597097efe3d97021f89170746bd3a0fb9a8b6fb26b82043ed68a4e0283bee6c",
		licenses: []string{"BSD-2-Clause", "BSD-3-Clause", "MIT"},
	},
	{ // the address of the project's logo, which is not linked
		module: "modernc.org/memory", file: "LICENSE-LOGO",
		sha256:   "5ae5bee3072a841376451b48d8cfcec7188e10543926d5870828d36c8a750dc5",
		licenses: nil,
	},
	{ // section 1 lists the linked parts; the MPL-2.0 text belongs to a module of section 3, which is not linked
		module: "modernc.org/sqlite", file: "LICENSE-3RD-PARTY.md",
		sha256:   "f4a00ade8f4057ab0ea49097d9c459df8559fcf10ca78da0c950343fb7428d37",
		licenses: []string{"BSD-3-Clause", "MIT"},
	},
	{ // SQLite is in the public domain
		module: "modernc.org/sqlite", file: "LICENSE-SQLITE",
		sha256:   "8438c9c89b849131ead81d5435cb97fcf052df5b0b286dda8a2d4c29e6cb3fd0",
		licenses: []string{"SQLite-public-domain"},
	},
}

// checkLicenses returns the modules that are linked, with their licenses. Its error names every file with a license
// that is unknown or not allowed.
func checkLicenses(root string) ([]*module, error) {
	linked, err := linkedModules(root)
	if err != nil {
		return nil, err
	}

	var problems []error
	for _, m := range linked {
		problems = append(problems, checkModule(m))
	}

	return linked, errors.Join(append(problems, unusedReviews(linked))...)
}

// checkModule sets the licenses of the module's files. It returns an error for each file that is not allowed.
func checkModule(m *module) error {
	if len(m.files) == 0 || strings.Contains(m.files[0].name, "/") {
		return fmt.Errorf("%s %s: no license file in the root of the module; a module without a license must not be linked",
			m.path, m.version)
	}

	var problems []error
	for i := range m.files {
		f := &m.files[i]
		var err error
		if f.licenses, err = identify(m.path, *f); err != nil {
			problems = append(problems, fmt.Errorf("%s %s: %s: %w", m.path, m.version, f.name, err))
		}
	}

	return errors.Join(problems...)
}

// identify returns the licenses of a file.
func identify(modulePath string, f licenseFile) ([]string, error) {
	sum := checksum(f.text)
	for _, r := range reviewed {
		if r.module == modulePath && r.file == f.name && r.sha256 == sum {
			return r.licenses, nil
		}
	}

	found := licensecheck.Scan([]byte(f.text))
	var licenses []string
	for _, match := range found.Match {
		if !match.IsURL && !slices.Contains(licenses, match.ID) {
			licenses = append(licenses, match.ID)
		}
	}

	const next = "read the file; if its terms allow linking, add it to `reviewed` in .ci/release/licenses.go with sha256 "
	if len(licenses) == 0 || found.Percent < minPercent {
		return nil, fmt.Errorf("license not recognized (%.0f %% of the text match a known license); %s%s",
			found.Percent, next, sum)
	}

	forbidden := slices.DeleteFunc(slices.Clone(licenses), func(id string) bool { return slices.Contains(allowed, id) })
	if len(forbidden) > 0 {
		return nil, fmt.Errorf("license %s is not in the list `allowed` of .ci/release/licenses.go; %s%s",
			strings.Join(forbidden, ", "), next, sum)
	}

	return licenses, nil
}

// unusedReviews returns an error for each review of a file that is not linked any more.
func unusedReviews(linked []*module) error {
	var problems []error
	for _, r := range reviewed {
		isRead := func(m *module) bool {
			return m.path == r.module && slices.ContainsFunc(m.files, func(f licenseFile) bool {
				return f.name == r.file && checksum(f.text) == r.sha256
			})
		}
		if !slices.ContainsFunc(linked, isRead) {
			problems = append(problems, fmt.Errorf("%s: %s: the review in .ci/release/licenses.go is for a text that is "+
				"not linked; remove it, or read the new text", r.module, r.file))
		}
	}

	return errors.Join(problems...)
}

func checksum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
