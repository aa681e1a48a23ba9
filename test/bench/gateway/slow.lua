-- A service that takes its time, for HAProxy: "lua.work MILLISECONDS".
core.register_action("work", { "http-req" }, function(_, milliseconds)
	core.msleep(tonumber(milliseconds))
end, 1)
