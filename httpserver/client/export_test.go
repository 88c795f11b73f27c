package client

import "time"

// SetSilence is how long streams may say nothing.
func (c *Client) SetSilence(d time.Duration) { c.silence = d }

// Pause is how long the client waits after so many failures in a row.
var Pause = pause
