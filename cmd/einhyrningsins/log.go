// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"einhyrningsins/internal/config"
	"einhyrningsins/internal/logging"
)

// newLog makes the log of the keeper or of a master, as the options say.
func newLog(cfg *config.Config, name string) *logging.Log {
	return logging.New(logging.Options{
		Format: cfg.LogFormat, Level: cfg.LogLevel(), Syslog: cfg.Syslog, Tag: "einhyrningsins", Name: name,
	})
}
