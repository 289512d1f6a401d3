// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"text/tabwriter"
	"time"
)

// report is all that was measured.
type report struct {
	Date  string `json:"date"`
	OS    string `json:"os"`
	Cores int    `json:"cores"`
	Go    string `json:"go"`
	Quick bool   `json:"quick,omitempty"`
	Rows  []*row `json:"rows"`
}

// row is one measurement with its figures.
type row struct {
	Name    string   `json:"name"`
	What    string   `json:"what"`
	How     []string `json:"how"` // n, and how it was measured
	Figures []figure `json:"figures"`
	Error   string   `json:"error,omitempty"` // why it could not be measured
	Seconds float64  `json:"seconds"`         // how long measuring took
	Busy    float64  `json:"busy"`            // part of the processors that others used right before, 0 to 1
}

// figure is one number. Bar is empty when it is held against none.
type figure struct {
	Label string  `json:"label"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit,omitempty"`
	Bar   string  `json:"bar,omitempty"`
	OK    bool    `json:"ok"` // true without a bar
	Note  string  `json:"note,omitempty"`
}

func newReport(quick bool) *report {
	return &report{
		Date: time.Now().Format(time.DateOnly), OS: runtime.GOOS + "/" + runtime.GOARCH,
		Cores: runtime.NumCPU(), Go: runtime.Version(), Quick: quick,
	}
}

// how adds a line that says what was done.
func (r *row) how(format string, args ...any) { r.How = append(r.How, fmt.Sprintf(format, args...)) }

// info adds a figure without a bar.
func (r *row) info(label string, value float64, unit, note string) {
	r.Figures = append(r.Figures, figure{Label: label, Value: value, Unit: unit, OK: true, Note: note})
}

// atMost adds a figure that must not exceed bar.
func (r *row) atMost(label string, value, bar float64, unit, note string) {
	r.Figures = append(r.Figures, figure{label, value, unit, "≤ " + number(bar), value <= bar, note})
}

// below adds a figure that must stay under bar.
func (r *row) below(label string, value, bar float64, unit, note string) {
	r.Figures = append(r.Figures, figure{label, value, unit, "< " + number(bar), value < bar, note})
}

// atLeast adds a figure that must reach bar.
func (r *row) atLeast(label string, value, bar float64, unit, note string) {
	r.Figures = append(r.Figures, figure{label, value, unit, "≥ " + number(bar), value >= bar, note})
}

func (r *report) writeJSON(w io.Writer) {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	out.Encode(r)
}

func (r *report) writeTable(w io.Writer) {
	fmt.Fprintf(w, "%s, %s, %d cores, %s", r.Date, r.OS, r.Cores, r.Go)
	if r.Quick {
		fmt.Fprint(w, ", -quick: for trying, not for judging")
	}
	fmt.Fprintln(w)
	for _, row := range r.Rows {
		fmt.Fprintf(w, "\n%s: %s\n", row.Name, row.What)
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, f := range row.Figures {
			fmt.Fprintf(table, "  %s\t%s %s\t%s\t%s\t%s\n", f.Label, number(f.Value), f.Unit, f.Bar, f.verdict(), f.Note)
		}
		table.Flush()
		for _, how := range row.How {
			fmt.Fprintf(w, "    %s\n", how)
		}
		if row.Busy > noisy {
			fmt.Fprintf(w, "    Disturbed: others used %.0f %% of the processors right before.\n", row.Busy*100)
		}
		if row.Error != "" {
			fmt.Fprintf(w, "    NOT MEASURED: %s\n", row.Error)
		}
	}
}

func (f figure) verdict() string {
	switch {
	case f.Bar == "":
		return "–"
	case f.OK:
		return "ok"
	}
	return "MISSED"
}

// number prints three digits that mean something, and whole numbers whole.
func number(v float64) string {
	switch {
	case v == float64(int64(v)):
		return strconv.FormatInt(int64(v), 10)
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}
