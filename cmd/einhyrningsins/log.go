// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"log/slog"

	"einhyrningsins/internal/config"
	"einhyrningsins/internal/logging"
)

// newLog makes the log of the keeper or of a master, as the options say.
func newLog(cfg *config.Config, name string) *logging.Log {
	level := slog.LevelInfo
	switch {
	case cfg.Verbose:
		level = slog.LevelDebug
	case cfg.Quiet:
		level = slog.LevelWarn
	}
	return logging.New(logging.Options{
		Format: cfg.LogFormat, Level: level, Syslog: cfg.Syslog, Tag: "einhyrningsins", Name: name,
	})
}
