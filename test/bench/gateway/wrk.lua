-- What came of a load, as a line of JSON: microseconds, requests, and failures by kind.
done = function(summary, latency)
	local e = summary.errors
	io.write(string.format(
	    '{"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"max_us":%d,' ..
	    '"failed":%d,"statuses":%d}\n',
	    summary.requests, summary.duration, latency:percentile(50),
	    latency:percentile(99), latency.max, e.connect + e.read + e.write + e.timeout,
	    e.status))
end
