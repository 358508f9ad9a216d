# The screen of pgcdc status, and its JSON; for awk, behind what status.sh has taken in -------

_status_show='
# Counts are printed as %.0f, for not every awk has %d beyond 31 bits.
function bytes(n,  u)
{
	for (u = 1; n >= 10000 && u < 6; u++)
		n /= 1024
	return u == 1 ? sprintf("%d B", n) : sprintf("%.1f %s", n, substr("kB MB GB TB PB", u * 3 - 5, 2))
}
function seconds(n)
{
	if (n < 120)
		return sprintf(n < 10 ? "%.1f s" : "%d s", n)
	if (n < 7200)
		return sprintf("%d min", n / 60)
	return n < 172800 ? sprintf("%d h", n / 3600) : sprintf("%d d", n / 86400)
}
function hex(n,  s)
{
	for (s = ""; n >= 1 || s == ""; n = int(n / 16))
		s = substr("0123456789ABCDEF", n % 16 + 1, 1) s
	return s
}
function lsn(n)
{
	return hex(int(n / 4294967296)) "/" hex(n % 4294967296)
}
# rate STAGE METRIC: a second since the earlier look; -1: there was none of this process.
function rate(stage, metric,  dt)
{
	dt = i["uptime"] - uptime_was
	if (!(stage in p) || pid_was[stage] != p[stage] || !(metric in was) || !(metric in m) || dt <= 0)
		return -1
	return (m[metric] - was[metric]) / dt
}
function per_second(r)
{
	return r < 0 ? "" : sprintf(r < 10 ? "%.1f/s, " : "%.0f/s, ", r)
}
function put(text)
{
	if (lines >= 24)
		return
	gsub(/[[:cntrl:]]/, "?", text)
	printf "%s%s\n", substr(text, 1, 80), clear ? "\033[K" : ""
	lines++
}
# fold HEAD TEXT N: over N lines at most.
function fold(head, text, n,  part, cut)
{
	for (; n > 0 && text != ""; n--) {
		part = text
		if (length(text) > 69) {
			part = substr(text, 1, 69)
			cut = 69
			while (cut > 40 && substr(part, cut, 1) != " ")
				cut--
			part = substr(part, 1, cut > 40 ? cut : 69)
		}
		put(sprintf("%-10s %s", head, part))
		text = substr(text, length(part) + 1)
		head = ""
	}
}
# What it is as a whole, and whether that is well.
function judge()
{
	bad = 1
	if (!("running" in i)) {
		head = "not running"
		return
	}
	if (!("read" in p) || !("write" in p)) {
		head = l["last_exit"] != "" ? "waiting for a restart" : "starting"
		return
	}
	if (state["r"] == "") {
		head = "starting"
		return
	}
	head = state["r"]
	if (head == "connecting") {
		head = "connecting to the server"
		return
	}
	bad = 0
	if (head != "standby" && ("w connected" in known) && m["w connected"] == 0) {
		head = head ", but the cluster takes nothing"
		bad = 1
	}
}
function why()
{
	if (head == "connecting to the server")
		return i["trouble"]
	if (problem != "")
		return problem
	if ("nowhere" in i)
		return "there is no run directory " i["rundir"] "; PGCDC_RUNDIR names another"
	if (head == "not running" || head == "waiting for a restart" || head == "starting")
		return l["reason"]
	return ""
}
function stage_line(name,  r)
{
	if (!(name in p)) {
		put(sprintf("%-10s %8s", name, "-"))
		return
	}
	r = pid_was[name] == p[name] && i["uptime"] > uptime_was ? \
	    sprintf("%.1f %%", 100 * (cpu[name] - cpu_was[name]) / (i["uptime"] - uptime_was)) : "-"
	put(sprintf("%-10s %8d %9s %8.1f s %9s %10s", name, p[name], seconds(up[name]), cpu[name], r, \
	    bytes(rss[name])))
}
function list_by(prefix, words,  n, w, k, out)
{
	n = split(words, w, " ")
	for (k = 1; k <= n; k++)
		if (by[prefix " " w[k]] > 0)
			out = out (out == "" ? "" : ", ") w[k] " " by[prefix " " w[k]]
	return out
}
function put_source(  out)
{
	if ("r lag_bytes" in known)
		out = "lag " bytes(m["r lag_bytes"]) ", " seconds(m["r lag_seconds"])
	if ("r slot_retained_bytes" in known)
		out = out "; log held " bytes(m["r slot_retained_bytes"])
	if ("r slot_safe_bytes" in known)
		out = out ", " bytes(m["r slot_safe_bytes"]) " more are safe"
	put(sprintf("%-10s %s", "slot", out))
	out = "r confirmed_lsn" in known ? "confirmed " lsn(m["r confirmed_lsn"]) : ""
	if (m["r reconnects_total"] + m["r connect_failures_total"] > 0)
		out = out (out == "" ? "" : "; ") sprintf("connected again %.0f times, %.0f attempts failed", \
		    m["r reconnects_total"], m["r connect_failures_total"])
	if (out != "")
		put(sprintf("%-10s %s", "", out))
	put(sprintf("%-10s %s%.0f rows%s", "read", per_second(rate("read", "r rows_total")), \
	    m["r rows_total"], (out = list_by("r rows_total", \
	    "insert update delete truncate snapshot")) == "" ? "" : ": " out))
}
function put_writer(  out, k)
{
	put(sprintf("%-10s %s%.0f actions%s", "stored", per_second(rate("write", "w actions_total")), \
	    m["w actions_total"], (out = list_by("w ignored_total", "conflict missing coalesced")) == "" ? "" : \
	    "; needed no more: " out))
	put(sprintf("%-10s %.0f actions, %s; %.0f requests under way; the oldest row: %s", "waiting", \
	    m["w queue_actions"], bytes(m["w queue_bytes"]), m["w in_flight_requests"], \
	    seconds(m["w oldest_unstored_seconds"])))
	out = cluster
	if ("w connected" in known)
		out = out (out == "" ? "" : ", ") (m["w connected"] ? "takes requests" : "takes nothing")
	else if (out == "")
		out = "nothing was sent yet"
	if (by["w nodes resting"] > 0)
		out = out sprintf("; nodes: %d, %d resting", m["w nodes"], by["w nodes resting"])
	put(sprintf("%-10s %s", "cluster", out))
	if (n_causes > 0) {
		out = ""
		for (k = 1; k <= n_causes; k++)
			out = out (k > 1 ? ", " : "") causes[k] " " cause[causes[k]]
		fold("retries", out, 1)
	}
}
function put_letters(  out)
{
	out = sprintf("%.0f dead letters", m["w dead_letters_total"])
	if ("w dead_letter_bytes" in known)
		out = out ", " bytes(m["w dead_letter_bytes"])
	else if (i["dead_letter"] == "")
		out = "no file for dead letters"
	out = out sprintf("; %.0f rejected", m["w rejected_total"])
	if (m["w map_errors_total"] > 0)
		out = out sprintf(", %.0f by the mapper", m["w map_errors_total"])
	put(sprintf("%-10s %s", "rejects", out))
}
function table_state(oid)
{
	return of[oid " snapshot_blocks"] > 0 ? \
	    int(100 * of[oid " snapshot_blocks_done"] / of[oid " snapshot_blocks"]) : -1
}
function put_snapshot(  out, k, done, shown)
{
	if (m["r snapshot_tables"] == 0)
		return
	out = list_by("r snapshot_tables", "waiting loading storing loaded failed")
	if (m["r snapshot_blocks"] > 0)
		out = out sprintf("; %d %% of %.0f blocks", \
		    100 * m["r snapshot_blocks_done"] / m["r snapshot_blocks"], m["r snapshot_blocks"])
	if (m["r snapshot_paused"])
		out = out "; rests, the slot is too far behind"
	put(sprintf("%-10s %s", "snapshot", out))
	# Those that are not done yet come first.
	for (shown = 0; shown < 2; shown++)
		for (k = 1; k <= n_tables; k++) {
			done = table_state(tables[k])
			if ((done == 100) != shown)
				continue
			put(sprintf("%-10s %7s %10.0f rows  %s", "", done < 0 ? "waiting" : done " %", \
			    of[tables[k] " snapshot_rows_total"], table[tables[k]]))
		}
}
function screen(  out)
{
	if (clear)
		printf "\033[H"
	out = "pgcdc " i["slot"] ": " head
	put(length(out) < 60 ? sprintf("%-59s %s", out, i["time"]) : out)
	if ("started" in l) {
		out = "running" in i ? "since " l["started"] ", process " l["pid"] : \
		    "ended " (l["ended"] != "" ? l["ended"] " with " l["exit"] : "by force")
		if (l["restarts"] > 0)
			out = out ", started again " l["restarts"] " times"
		if (l["last_exit"] != "")
			out = out "; last: " l["last_exit"]
		put(out)
	}
	fold("why", why(), 3)
	if ("running" in i) {
		put(sprintf("%-10s %8s %9s %10s %9s %10s", "stage", "pid", "up", "CPU", "now", "memory"))
		stage_line("read")
		stage_line("map")
		stage_line("write")
	}
	if (state["r"] != "")
		put_source()
	if (state["w"] != "") {
		put_writer()
		put_letters()
	}
	if (state["r"] != "")
		put_snapshot()
	if (clear)
		printf "\033[J"
}
# JSON
function quote(s)
{
	gsub(/\\/, "\\\\", s)
	gsub(/"/, "\\\"", s)
	gsub(/[[:cntrl:]]/, " ", s)
	return "\"" s "\""
}
function number(key)
{
	return key in known ? sprintf("%.15g", m[key]) : "null"
}
function real(r)
{
	return r < 0 ? "null" : sprintf("%.3f", r)
}
function text_of(key)
{
	return key in l && l[key] != "" ? quote(l[key]) : "null"
}
function object(  k, s, out)
{
	split("read map write", s, " ")
	printf "{\"slot\":%s,\"time\":%s,\"running\":%s,\"healthy\":%s,\"state\":%s,\"why\":%s,", \
	    quote(i["slot"]), quote(i["time"]), "running" in i ? "true" : "false", \
	    bad ? "false" : "true", quote(head), why() == "" ? "null" : quote(why())
	printf "\"started\":%s,\"restarts\":%d,\"last_exit\":%s,\"last_time\":%s,\"reason\":%s,\"ended\":%s,\"stages\":{", \
	    text_of("started"), l["restarts"], text_of("last_exit"), text_of("last_time"), \
	    text_of("reason"), text_of("ended")
	for (k = 1; k <= 3; k++)
		if (s[k] in p)
			out = out (out == "" ? "" : ",") sprintf("\"%s\":{\"pid\":%d,\"up_seconds\":%.2f," \
			    "\"cpu_seconds\":%.2f,\"memory_bytes\":%.15g}", s[k], p[s[k]], up[s[k]], \
			    cpu[s[k]], rss[s[k]])
	printf "%s},\"source\":{\"state\":%s,\"lag_bytes\":%s,\"lag_seconds\":%s,\"retained_bytes\":%s," \
	    "\"safe_bytes\":%s,\"confirmed\":%s,\"rows\":%s,\"rows_per_second\":%s,\"reconnects\":%s},", out, \
	    state["r"] == "" ? "null" : quote(state["r"]), number("r lag_bytes"), number("r lag_seconds"), \
	    number("r slot_retained_bytes"), number("r slot_safe_bytes"), \
	    "r confirmed_lsn" in known ? quote(lsn(m["r confirmed_lsn"])) : "null", \
	    number("r rows_total"), real(rate("read", "r rows_total")), number("r reconnects_total")
	out = ""
	for (k = 1; k <= n_causes; k++)
		out = out (k > 1 ? "," : "") quote(causes[k]) ":" cause[causes[k]]
	printf "\"target\":{\"state\":%s,\"cluster\":%s,\"connected\":%s,\"actions\":%s," \
	    "\"actions_per_second\":%s,\"oldest_unstored_seconds\":%s,\"queue_actions\":%s," \
	    "\"queue_bytes\":%s,\"in_flight_requests\":%s,\"retries\":{%s},\"rejected\":%s," \
	    "\"dead_letters\":%s,\"dead_letter_bytes\":%s},", \
	    state["w"] == "" ? "null" : quote(state["w"]), cluster == "" ? "null" : quote(cluster), \
	    "w connected" in known ? (m["w connected"] ? "true" : "false") : "null", \
	    number("w actions_total"), real(rate("write", "w actions_total")), \
	    number("w oldest_unstored_seconds"), number("w queue_actions"), number("w queue_bytes"), \
	    number("w in_flight_requests"), out, number("w rejected_total"), \
	    number("w dead_letters_total"), number("w dead_letter_bytes")
	out = ""
	for (k = 1; k <= n_tables; k++)
		out = out (k > 1 ? "," : "") sprintf("{\"table\":%s,\"blocks\":%.0f,\"blocks_done\":%.0f,\"rows\":%.0f}", \
		    quote(table[tables[k]]), of[tables[k] " snapshot_blocks"], \
		    of[tables[k] " snapshot_blocks_done"], of[tables[k] " snapshot_rows_total"])
	printf "\"snapshot\":[%s]}\n", out
}
END {
	judge()
	if (json)
		object()
	else
		screen()
	exit bad ? 111 : 0
}
'

