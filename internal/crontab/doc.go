// Package crontab reads and writes crontabs, as crontab(5) of Debian's cron
// describes them, and knows which commands in them are a single HTTP request.
//
// A crontab is read line by line:
//
//	blank lines and # comments    are left out
//	# cronraft: ID                is the ID of the entry after it
//	NAME = value                  is in force for the lines after it
//	CRON_TZ = zone                likewise: it is the zone of the schedules
//	schedule [user] command       is an [Entry]
//
// What is wrong with a line is a [Problem] and ends nothing: the lines after it
// are read. Of what Debian's cron does, three things are done otherwise: CRON_TZ is
// a zone, as in cronie, and not a variable like others; the last line may lack its
// newline; and a carriage return at the end of a line is no part of it.
package crontab
