#!lua name=netq
-- The only way to write to the store. Loaded on the master, replicated to the others.
--
-- Every key begins with a secret of the cluster. Redis checks a script's commands against the *caller's* rights
-- (measured on 7.0.15), so the network's user must hold the rights to HSET, XADD ...; it holds them for DATA* only,
-- cannot list keys or read this source, and so can use them through these functions alone. CONTROL* it may only
-- read: the functions for cts-auth fail at their first write when the network calls them.
--
-- KEYS: none (the store is not a Redis Cluster; keys follow from the arguments). Times are milliseconds.
-- Keys:  DATA hosts             SET     host names that ever said hello
--        DATA agent:<host>      HASH    id session mark seen skew shift connected initialized info
--        DATA s:<table>:<host>  HASH    key -> "<server time> <agent time> <row as JSON>"
--        DATA reading:<host>    SET     tables of which a full reading is under way
--        DATA sync:<table>:<host>  SET  keys seen so far by the full reading under way
--        DATA log               STREAM  h host, p prev, q seq, t agent time, d lines; r 1 if it was sent before; o, where a
--                                       row was changed or deleted: per line of d the row before as JSON, or nothing
--        DATA stats             STREAM  h host, t time of the samples by the servers' clock, d per line an interface and
--                                       its counters; one entry a batch with samples
--        DATA applied           STRING  how many batches were ever applied
--        CONTROL cluster        HASH    id servers alone generation format marker-epoch marker-n marker-time writable-since log-lost
--                                       staged staged-at ready fence restored (netq_restore says more)
--        CONTROL events         STREAM  one entry a change of master: from, to, epoch, why, last (the mark before, ms)
--        CONTROL roles          HASH    <ip> -> "<role> <since>"
--        CONTROL observed       HASH    "<table> <host> <key>" -> what the servers saw last, a row as JSON
--        CONTROL cursors        HASH    <integration> -> the last line of the log that it was told of, "<entry>.<line>"
--        CONTROL notifications  STREAM  n what was sent where, as JSON (notifier/records.ts)
--        CONTROL settings       HASH    version text: the notifier's sections of netq.yml
local DATA = '@PREFIX@d:'
local CONTROL = '@PREFIX@c:'
-- Where the keys of a backup are put until they take the place of those above, under their names there.
local STAGED = '@PREFIX@r:'
-- How the keys are laid out (backup/contents.ts reckons with it): what has another number is not understood here.
local FORMAT = '1'
-- A batch holds the master up while it is applied: 9.8 s for 4 MiB of the shortest lines (measured), 10 ms for this.
local MAX_PAYLOAD = 1024 * 1024
local MAX_LINES = 1000
-- Bytes from which on a payload is searched for control characters as a whole; rows by themselves cost more from here on.
local SEARCH_FROM = 1500
local NAME = '^[%w][%w%._%-]*$'
-- An agent that takes over a host name from another one must wait until the other has been silent this long.
local TAKEOVER_MS = 90000
-- An agent's clock is taken to be right up to this difference, as by those who show its times.
local SKEW_LIMIT_MS = 5000
local SKEW_NOISE_MS = 1000

-- Redis guards its globals: to look up one of them takes 0.3 us, as much as the search that is then made (measured). So
-- they are looked up once. This function is above the locals that are called like them.
local function globals()
  cjson.decode_invalid_numbers(false)
  return redis.call, cjson.decode, string.byte, string.char, string.find, string.format, string.match, string.sub,
    table.concat, math.abs, math.floor, math.max, math.min, ipairs, pairs, pcall, tonumber, unpack
end
local call, decode, byte, char, find, format, match, sub, concat, abs, floor, max, min, ipairs, pairs, pcall, tonumber, unpack

local function prepare()
  if call then return end
  call, decode, byte, char, find, format, match, sub, concat, abs, floor, max, min, ipairs, pairs, pcall, tonumber, unpack =
    globals()
end

local function now_ms()
  local t = call('TIME')
  return t[1] * 1000 + floor(t[2] / 1000)
end

-- 1795446667087 and not 1.795446667087e+12, as Lua would print it.
local function int(n)
  return format('%d', n)
end

-- Whether there is, raw, what JSON has no place for within a string; line ends and tabs are where a payload's lines and
-- fields end. Each is searched for at the speed of memory: a pattern for all of them takes 40 instructions a byte.
local function has_controls(text)
  for code = 0, 31 do
    if code ~= 9 and code ~= 10 and find(text, char(code), 1, true) then return true end
  end
  return find(text, char(127), 1, true) ~= nil
end

-- JSON as every reader takes it: cjson alone, told not to take NaN and hexadecimal numbers, takes raw control characters.
local function is_json(text)
  return not find(text, '%c') and (pcall(decode, text))
end

local function refuse(reason)
  return redis.error_reply('REFUSED ' .. reason)
end

local function whole(text)
  local n = text and match(text, '^%d+$') and tonumber(text)
  return n and n < 9007199254740992 and n or nil
end

local function agent_key(host)
  return DATA .. 'agent:' .. host
end

local function check_host(host)
  if not host or #host > 253 or not match(host, NAME) then return 'the host name is not one' end
end

-- By how much the times of an agent's samples are moved: by its skew, if that is beyond the limit. It stays as it is
-- while the skew only wavers, so that a batch which is sent once more, to another master, gets the same time again and
-- its samples are the same points.
local function shift_for(known, skew)
  local shift = tonumber(known or 0)
  if abs(skew - shift) < SKEW_NOISE_MS then return shift end
  return abs(skew) > SKEW_LIMIT_MS and skew or 0
end

-- While what is stored is put aside for a backup to take its place, nothing of an agent is taken: it would be in neither.
local function fenced()
  return call('HGET', CONTROL .. 'cluster', 'fence')
    and redis.error_reply('RESTORING a backup is being restored; what changes is kept, and sent after')
end

local function answer(status, mark)
  local c = call('HMGET', CONTROL .. 'cluster', 'servers', 'id')
  return { status, int(mark), c[1] or '', c[2] or '' }
end

-- netq_hello host id session agent-time
-- Makes the agent `id` the owner of its host name, and `session` the only connection that may write for it: what an
-- earlier connection still has on the way is refused from here on, so that the answered mark is the last word.
-- Returns {OK, mark, servers, cluster id}; NAMEINUSE if another agent of that name was heard of in the last 90 s.
local function hello(_, args)
  local host, id, session, atime = args[1], args[2], args[3], whole(args[4])
  local problem = check_host(host)
  if problem then return refuse(problem) end
  if not id or not match(id, '^[%x%-]+$') then return refuse('the agent id is not one') end
  if not session or not match(session, '^[%x%-]+$') then return refuse('the session is not one') end
  if not atime then return refuse('the agent time is not a number of milliseconds') end
  local closed = fenced()
  if closed then return closed end
  local key = agent_key(host)
  local now = now_ms()
  local known = call('HMGET', key, 'id', 'mark', 'seen', 'shift')
  if known[1] and known[1] ~= id and known[3] and now - known[3] < TAKEOVER_MS then
    return redis.error_reply('NAMEINUSE another agent calls itself ' .. host .. ' and was heard of '
      .. floor((now - known[3]) / 1000) .. ' s ago')
  end
  call('SADD', DATA .. 'hosts', host)
  call('HSET', key, 'id', id, 'session', session, 'seen', int(now), 'skew', int(now - atime),
    'shift', int(shift_for(known[4], now - atime)), 'connected', int(now))
  return answer('OK', tonumber(known[2] or 0))
end

local function foreign(host)
  return redis.error_reply('FOREIGN another agent or connection writes for ' .. host .. ' now')
end

-- netq_beat host session agent-time info
-- "I live": not numbered, not logged. info: JSON, what the agent says of itself (types.ts, AgentInfo).
-- Returns {OK, mark, servers, cluster id}.
local function beat(_, args)
  local host, session, atime, info = args[1], args[2], whole(args[3]), args[4]
  local problem = check_host(host)
  if problem then return refuse(problem) end
  if not atime or not info or #info > 4096 or not is_json(info) then
    return refuse('the heartbeat is not well formed')
  end
  local key = agent_key(host)
  local known = call('HMGET', key, 'session', 'mark', 'shift')
  if known[1] ~= session then return foreign(host) end
  local now = now_ms()
  call('HSET', key, 'seen', int(now), 'skew', int(now - atime),
    'shift', int(shift_for(known[3], now - atime)), 'info', info)
  return answer('OK', tonumber(known[2] or 0))
end

-- The line of a payload from `at` to `stop` as {op, table, key, row, at, stop}; or nil and what is wrong. It looks for tabs
-- as such, and makes a string only of what is needed as one: Redis' Lua hashes every byte of each, which was most of the
-- time of a batch (measured). `clean`: the payload is known to have no control characters.
local function parse_line(payload, at, stop, clean)
  local op = byte(payload, at + 1) == 9 and match(payload, '^%u', at)
  if op == 'G' and match(sub(payload, at, stop), '^G\t%d+\t%d+\t[^\t]+$') then
    return { op, nil, nil, nil, at, stop }
  end
  local function tab_after(position)
    local tab = find(payload, '\t', position, true)
    return tab and tab <= stop and tab
  end
  local second = tab_after(at + 2)
  local tbl = sub(payload, at + 2, (second or stop + 1) - 1)
  if not op or not match(tbl, '^[a-z][a-z0-9%-]*$') then return nil, 'is no change' end
  local third = second and tab_after(second + 1)
  if op == 'P' or op == 'S' then
    local key = third and sub(payload, second + 1, third - 1)
    if not key or key == '' or #key > 1024 or third + 1 >= stop
      or byte(payload, third + 1) ~= 123 or byte(payload, stop) ~= 125 then
      return nil, 'is not a key and a row'
    end
    local row = sub(payload, third + 1, stop)
    if clean and not tab_after(third + 1) then
      if not pcall(decode, row) then return nil, 'is not JSON' end
    elseif not is_json(row) then
      return nil, 'is not JSON'
    end
    return { op, tbl, key, row, at, stop }
  elseif op == 'D' then
    local key = second and not third and sub(payload, second + 1, stop)
    if not key or key == '' then return nil, 'names no key' end
    return { op, tbl, key, nil, at, stop }
  elseif op == 'A' then
    -- Only what needs no escape on its way into InfluxDB.
    local line = sub(payload, at, stop)
    local key, row = match(line, '^A\t[^\t]+\t([%w%._%-@+]+)\t({["%w_:,]*})$')
    if tbl ~= 'interface-stats' or not key or #key > 64 or not is_json(row) then return nil, 'is no sample' end
    return { op, tbl, key, row, at, stop }
  elseif (op == 'B' or op == 'E') and not second then
    return { op, tbl, nil, nil, at, stop }
  end
  return nil, 'is no change'
end

-- The lines of a payload, each as above; or nil and what is wrong. Nothing has been written by then. `verbatim` of them:
-- each is logged as it is, so that the log can have the payload itself.
local function parse(payload)
  local changes, n, ends, at = { verbatim = byte(payload, -1) ~= 10 }, 0, 0, 1
  local clean = #payload > SEARCH_FROM and not has_controls(payload)
  while at <= #payload do
    local stop = (find(payload, '\n', at, true) or #payload + 1) - 1
    if stop >= at then
      n = n + 1
      if n > MAX_LINES then return nil, 'it has more than 1000 lines' end
      local change, wrong = parse_line(payload, at, stop, clean)
      if not change then return nil, 'line ' .. n .. ' ' .. wrong end
      local op = change[1]
      -- The end of a reading looks at every row of its table: once a batch.
      if op == 'E' then ends = ends + 1 end
      if ends > 1 then return nil, 'it ends more than one full reading' end
      if op ~= 'P' and op ~= 'D' and op ~= 'G' then changes.verbatim = false end
      changes[n] = change
    else
      changes.verbatim = false
    end
    at = stop + 2
  end
  if n == 0 then return nil, 'it is empty' end
  return changes
end

-- A row as the agent wrote it, from what is stored; '' if nothing is.
local function row_of(stored)
  if not stored then return '' end
  local first = find(stored, ' ', 1, true)
  return sub(stored, find(stored, ' ', first + 1, true) + 1)
end

-- Calls a command on a key with any number of arguments: unpack takes 8000 at most.
local function call_with_all(command, key, all)
  for from = 1, #all, 4000 do
    call(command, key, unpack(all, from, min(from + 3999, #all)))
  end
end

-- The tables that a batch is about, by name, as they are while it is carried out. The rows that it names are read by one
-- call a table and what became of them is written by one, as a call costs as much as the rest of a line: `rows` is what is
-- or will be stored (false: nothing), `changed` the keys to write, `seen` the keys of the full reading to note.
local function open_tables(host, changes)
  local tables, named = {}, {}
  for _, change in ipairs(changes) do
    local tbl, key = change[2], change[3]
    if tbl and change[1] ~= 'A' then
      local t = tables[tbl]
      if not t then
        t = {
          state = DATA .. 's:' .. tbl .. ':' .. host,
          sync = DATA .. 'sync:' .. tbl .. ':' .. host,
          reading = call('SISMEMBER', DATA .. 'reading:' .. host, tbl) == 1,
          rows = {},
          changed = {},
          seen = {},
        }
        tables[tbl], named[t] = t, {}
      end
      if key and t.rows[key] == nil then
        t.rows[key] = false
        local keys = named[t]
        keys[#keys + 1] = key
      end
    end
  end
  for t, keys in pairs(named) do
    if #keys > 0 then
      for i, stored in ipairs(call('HMGET', t.state, unpack(keys))) do t.rows[keys[i]] = stored end
    end
  end
  return tables
end

local function write_table(t)
  local set, gone = {}, {}
  for key in pairs(t.changed) do
    local stored = t.rows[key]
    if stored then
      set[#set + 1] = key
      set[#set + 1] = stored
    else
      gone[#gone + 1] = key
    end
  end
  call_with_all('HSET', t.state, set)
  call_with_all('HDEL', t.state, gone)
  call_with_all('SADD', t.sync, t.seen)
  t.changed, t.seen = {}, {}
end

-- The keys that are stored and were not in the full reading, which is whole.
local function missing_in_reading(t)
  local present, missing = {}, {}
  for _, key in ipairs(call('SMEMBERS', t.sync)) do present[key] = true end
  for _, key in ipairs(call('HKEYS', t.state)) do
    if not present[key] then missing[#missing + 1] = key end
  end
  return missing
end

-- Carries the changes out on the state; returns the text that the log keeps, for each line of it the row before ('' for
-- none), and the samples, which are no part of the state.
local function carry_out(host, payload, changes, stamp)
  local kept, before, samples = {}, {}, {}
  local tables = open_tables(host, changes)
  local reading = DATA .. 'reading:' .. host
  -- The line of a change, or another in its place.
  local function keep(change, old, instead)
    before[#before + 1] = row_of(old)
    if not changes.verbatim then kept[#before] = instead or sub(payload, change[5], change[6]) end
  end
  local function put(t, key, stored, change, instead)
    keep(change, t.rows[key], instead)
    t.rows[key] = stored
    t.changed[key] = true
  end
  for _, change in ipairs(changes) do
    local op, tbl, key, row = change[1], change[2], change[3], change[4]
    if op == 'A' then
      samples[#samples + 1] = key .. '\t' .. row
    elseif op == 'G' then
      -- The gap may have taken rows of the readings under way: their ends must not delete what they lack.
      for _, name in ipairs(call('SMEMBERS', reading)) do
        call('DEL', DATA .. 'sync:' .. name .. ':' .. host)
      end
      call('DEL', reading)
      for _, t in pairs(tables) do t.reading, t.seen = false, {} end
      keep(change)
    else
      local t = tables[tbl]
      if op == 'P' then
        put(t, key, stamp .. row, change)
      elseif op == 'D' then
        put(t, key, false, change)
      elseif op == 'B' then
        call('DEL', t.sync)
        call('SADD', reading, tbl)
        call('HSET', agent_key(host), 'initialized', match(stamp, '^%d+'))
        t.reading, t.seen = true, {}
      elseif op == 'S' then
        if t.reading then t.seen[#t.seen + 1] = key end
        if row_of(t.rows[key]) ~= row then
          put(t, key, stamp .. row, change, 'P' .. sub(payload, change[5] + 1, change[6]))
        end
      elseif call('SREM', reading, tbl) == 1 then
        -- Only a reading that is whole says what is gone.
        write_table(t)
        for _, gone in ipairs(missing_in_reading(t)) do
          t.rows[gone] = t.rows[gone] or call('HGET', t.state, gone)
          put(t, gone, false, change, 'D\t' .. tbl .. '\t' .. gone)
        end
        call('DEL', t.sync)
        t.reading = false
      end
    end
  end
  for _, t in pairs(tables) do write_table(t) end
  return changes.verbatim and payload or concat(kept, '\n'), before, samples
end

-- Appends the samples of a batch to the statistics; nothing if there are none. What claims to be of the future was
-- counted by a clock that has been set since the last heartbeat: its time is that of its receipt.
local function append_samples(host, samples, time, now)
  if #samples == 0 then return end
  if time < 0 or time > now + SKEW_LIMIT_MS + SKEW_NOISE_MS then time = now end
  call('XADD', DATA .. 'stats', '*', 'h', host, 't', int(time), 'd', concat(samples, '\n'))
end

-- Appends to the log what was changed; nothing if nothing was.
local function log_changes(host, prev, seq, time, text, before, resent)
  if text == '' then return end
  local entry = { 'h', host, 'p', prev, 'q', seq, 't', time, 'd', text }
  if resent then
    entry[#entry + 1] = 'r'
    entry[#entry + 1] = '1'
  end
  local olds = concat(before, '\n')
  if find(olds, '{', 1, true) then
    entry[#entry + 1] = 'o'
    entry[#entry + 1] = olds
  end
  call('XADD', DATA .. 'log', '*', unpack(entry))
end

-- netq_apply host session prev seq agent-time payload ["resent"]
-- Applies a batch if it follows this agent's mark; all of it or nothing.
-- Returns {OK, mark, ...} applied; {KNOWN, mark, ...} it was applied before; {GAP, mark, ...} it does not follow the mark.
-- REFUSED reason: it is malformed; nothing was changed. FOREIGN: another session writes for this host now.
local function apply(_, args)
  local host, session, payload = args[1], args[2], args[6]
  local prev, seq, atime = whole(args[3]), whole(args[4]), whole(args[5])
  local problem = check_host(host)
  if problem then return refuse(problem) end
  if not prev or not seq or prev >= seq or not atime then return refuse('the numbers of the batch are not well formed') end
  if not payload or #payload > MAX_PAYLOAD then return refuse('the batch is larger than 1 MiB') end
  local key = agent_key(host)
  local known = call('HMGET', key, 'session', 'mark', 'shift')
  if known[1] ~= session then return foreign(host) end
  local closed = fenced()
  if closed then return closed end
  local mark = tonumber(known[2] or 0)
  if seq <= mark then return answer('KNOWN', mark) end
  if prev ~= mark then return answer('GAP', mark) end
  local changes, wrong = parse(payload)
  if not changes then return refuse(wrong) end
  local now = now_ms()
  local text, before, samples = carry_out(host, payload, changes, int(now) .. ' ' .. int(atime) .. ' ')
  log_changes(host, args[3], args[4], args[5], text, before, args[7])
  append_samples(host, samples, atime + tonumber(known[3] or 0), now)
  call('HSET', key, 'mark', int(seq), 'seen', int(now))
  call('INCR', DATA .. 'applied')
  return answer('OK', seq)
end

-- netq_marker epoch keep-from keep-stats-from why [ip role]...        (cts-auth of the master, every second)
-- Proves that the master can be written to, and orders the servers' copies: (epoch, n) grows with every call.
-- keep-from, keep-stats-from: entries of the log and of the statistics older than this time (ms) are forgotten. Roles
-- that changed get a new "since"; a new master is written down with the reason `why`. Returns the new n.
local function marker(_, args)
  local cluster = CONTROL .. 'cluster'
  local now = now_ms()
  local known = call('HMGET', cluster, 'marker-time', 'marker-epoch', 'writable-since')
  -- Five missed marks are an interruption: agents may have been unable to write, so silence is counted from here.
  if not known[1] or not known[3] or now - known[1] > 5000 then
    call('HSET', cluster, 'writable-since', int(now))
  end
  local epoch = max(whole(args[1]) or 0, tonumber(known[2] or 0))
  call('HSET', cluster, 'marker-epoch', int(epoch), 'marker-time', int(now))
  -- The newest entry that may be forgotten: who was not told of it will not be.
  local oldest = call('XREVRANGE', DATA .. 'log', int(max(0, args[2] - 1)), '-', 'COUNT', 1)[1]
  if oldest then call('HSET', cluster, 'log-lost', oldest[1]) end
  call('XTRIM', DATA .. 'log', 'MINID', '~', args[2])
  call('XTRIM', DATA .. 'stats', 'MINID', '~', args[3])
  local roles = CONTROL .. 'roles'
  local present, from, to = {}, nil, nil
  for i = 5, #args, 2 do
    local ip, role = args[i], args[i + 1]
    present[ip] = true
    local old = call('HGET', roles, ip)
    local was = old and match(old, '^(%S+)')
    if was ~= role then call('HSET', roles, ip, role .. ' ' .. int(now)) end
    if was == 'master' and role ~= 'master' then from = ip end
    if was ~= 'master' and role == 'master' then to = ip end
  end
  for _, ip in ipairs(call('HKEYS', roles)) do
    if not present[ip] then
      if match(call('HGET', roles, ip), '^master') then from = ip end
      call('HDEL', roles, ip)
    end
  end
  if to then
    call('XADD', CONTROL .. 'events', 'MAXLEN', '~', '1000', '*', 'from', from or '', 'to', to,
      'epoch', int(epoch), 'why', args[4], 'last', known[1] or '')
  end
  return call('HINCRBY', cluster, 'marker-n', 1)
end

-- netq_cluster id generation servers [alone]                (cts-auth of the master)
-- Writes down which cluster this store belongs to and the order of its servers, space separated ('' while HA is off);
-- the servers and the agents learn it here. With `alone`, that server is to go on as the only one, HA being turned off;
-- the servers learn that at once, the agents when it does. A generation that is older than the known one is refused (STALE).
local function cluster(_, args)
  local known = call('HMGET', CONTROL .. 'cluster', 'id', 'generation')
  if known[1] == args[1] and known[2] and tonumber(args[2]) < tonumber(known[2]) then
    return redis.error_reply('STALE the configuration has been changed meanwhile, to generation ' .. known[2])
  end
  call('HSET', CONTROL .. 'cluster', 'id', args[1], 'generation', args[2], 'servers', args[3], 'alone', args[4] or '',
    'format', FORMAT)
  return 'OK'
end

local function last_id(stream)
  if call('EXISTS', stream) == 0 then return '0-0' end
  local info = call('XINFO', 'STREAM', stream)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return info[i + 1] end
  end
end

-- Whether the id a of a stream's entry is after b.
local function is_after(a, b)
  local a_ms, a_n = match(a, '^(%d+)%-(%d+)$')
  local b_ms, b_n = match(b, '^(%d+)%-(%d+)$')
  if a_ms == b_ms then return tonumber(a_n) > tonumber(b_n) end
  return tonumber(a_ms) > tonumber(b_ms)
end

local function unlink_all(pattern)
  for _, key in ipairs(call('KEYS', pattern)) do call('UNLINK', key) end
end

-- Puts the staged keys in the place of the agents' data and of what the servers saw. The cluster, its history, the settings
-- and the cursors of the notifier stay as they are; where there are none, those of the backup are taken. So do the
-- samples, which the InfluxDBs here have read already. Nothing goes back that orders copies or entries of the log.
local function swap(id, name)
  local log = last_id(DATA .. 'log')
  local applied = tonumber(call('GET', DATA .. 'applied') or 0)
  local samples = call('EXISTS', DATA .. 'stats') == 1
  for _, key in ipairs(call('KEYS', DATA .. '*')) do
    if key ~= DATA .. 'stats' then call('UNLINK', key) end
  end
  call('UNLINK', CONTROL .. 'observed')
  for _, key in ipairs(call('KEYS', STAGED .. '*')) do
    local place = '@PREFIX@' .. sub(key, #STAGED + 1)
    if call('EXISTS', place) == 1 then call('UNLINK', key) else call('RENAME', key, place) end
  end
  if call('EXISTS', DATA .. 'log') == 1 and is_after(log, last_id(DATA .. 'log')) then
    call('XSETID', DATA .. 'log', log)
  end
  call('SET', DATA .. 'applied', int(max(applied, tonumber(call('GET', DATA .. 'applied') or 0))))
  local now = int(now_ms())
  call('HSET', CONTROL .. 'cluster', 'restored', id .. ' ' .. now .. ' ' .. name, 'writable-since', now)
  call('HINCRBY', CONTROL .. 'cluster', 'marker-n', 1)
end

-- netq_restore begin|stage|ready|fence|drop|swap id [name]        (cts-auth; docs/decisions/13-backup.md)
-- The steps of a restore. begin: what was staged before is dropped, and `id` is staged from now on; stage: that goes on;
-- ready: all of it is there (a replica that has this has all that came before); fence: nothing of an agent is taken any more; drop: it is given up, and all is as it was; swap: what is staged takes its
-- place, at once. STALE if another restore is staged.
local function restore(_, args)
  local step, id = args[1], args[2]
  local cluster = CONTROL .. 'cluster'
  local staged = call('HGET', cluster, 'staged')
  if step ~= 'begin' and staged ~= id then
    return redis.error_reply('STALE what was read of the backup is not in the store any more')
  end
  if step == 'begin' then
    unlink_all(STAGED .. '*')
    call('HDEL', cluster, 'fence', 'ready')
  end
  if step == 'swap' and call('HGET', cluster, 'ready') ~= id then
    return redis.error_reply('STALE not all of the backup is in the store')
  end
  if step == 'begin' or step == 'stage' or step == 'ready' then
    call('HSET', cluster, 'staged', id, 'staged-at', int(now_ms()))
    if step == 'ready' then call('HSET', cluster, 'ready', id) end
  elseif step == 'fence' then
    call('HSET', cluster, 'fence', id)
  else
    if step == 'swap' then swap(id, args[3]) else unlink_all(STAGED .. '*') end
    call('HDEL', cluster, 'staged', 'staged-at', 'ready', 'fence')
  end
  return 'OK'
end

-- netq_observe [table host key row]...                              (the notifier of the master)
-- What the servers themselves see of the agents and of each other; a row '' is gone. What differs from the last time
-- goes to the log, as a change with the batch number 0. Returns how many did.
local function observe(_, args)
  local now, differing = int(now_ms()), 0
  for i = 1, #args, 4 do
    local tbl, host, key, row = args[i], args[i + 1], args[i + 2], args[i + 3]
    local field = tbl .. '\t' .. host .. '\t' .. key
    local old = call('HGET', CONTROL .. 'observed', field) or ''
    if old ~= row then
      differing = differing + 1
      local line = tbl .. '\t' .. key
      if row == '' then
        call('HDEL', CONTROL .. 'observed', field)
        line = 'D\t' .. line
      else
        call('HSET', CONTROL .. 'observed', field, row)
        line = 'P\t' .. line .. '\t' .. row
      end
      log_changes(host, '0', '0', now, line, { old })
    end
  end
  return differing
end

-- netq_notified integration cursor [record]...                         (the notifier of the master)
-- This integration was told of all up to the cursor. Without records nothing new was sent: a proof that the master can
-- still be written to.
local function notified(_, args)
  call('HSET', CONTROL .. 'cursors', args[1], args[2])
  for i = 3, #args do
    call('XADD', CONTROL .. 'notifications', 'MAXLEN', '~', '10000', '*', 'n', args[i])
  end
  return 'OK'
end

-- netq_settings version text          (cts-auth, and the notifier of a server where netq.yml was edited)
-- The notifier's settings, made from those of this version; STALE if that is not the newest. Returns the new version.
local function settings(_, args)
  local known = call('HGET', CONTROL .. 'settings', 'version') or '0'
  if known ~= args[1] then
    return redis.error_reply('STALE the settings of the notifier have been changed meanwhile, to version ' .. known)
  end
  call('HSET', CONTROL .. 'settings', 'version', int(tonumber(known) + 1), 'text', args[2])
  return tonumber(known) + 1
end

-- netq_hosts        read only: the names of all hosts.
local function hosts()
  return call('SMEMBERS', DATA .. 'hosts')
end

-- netq_rows table host        read only: {key, "<server time> <agent time> <row>", ...} of one table of one host.
local function rows(_, args)
  if not args[1] or not match(args[1], '^[a-z][a-z0-9%-]*$') or not args[2] or not match(args[2], NAME) then
    return refuse('give a table and a host name')
  end
  return call('HGETALL', DATA .. 's:' .. args[1] .. ':' .. args[2])
end

-- prepare() first: what it takes is not there yet while the library is loaded.
local function register(name, run, flag)
  redis.register_function{
    function_name = name,
    callback = function(keys, args)
      prepare()
      return run(keys, args)
    end,
    flags = { flag },
  }
end

register('netq_hello', hello)
register('netq_beat', beat)
register('netq_apply', apply)
register('netq_marker', marker)
register('netq_cluster', cluster)
register('netq_restore', restore)
register('netq_observe', observe)
register('netq_notified', notified)
register('netq_settings', settings)
register('netq_hosts', hosts, 'no-writes')
register('netq_rows', rows, 'no-writes')
