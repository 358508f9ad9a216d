# A mapper in jq, in the place of pgcdc-map:
#
#     pgcdc-read ... -a ack.sock | pgcdc-cat | jq -c --unbuffered -f mapper.jq |
#         pgcdc-cat --pack | esbulk-write ... -a ack.sock
#
# A row of public.users becomes the document of its id in the index users; an update puts
# the name that the old row had into old_name.  The lines are described in pgcdc-frame(5);
# of the values that are tagged there this table can have only the absent ones.

def absent: . == {"$absent": true};

# An object of a row, or null where there is none.
def named($columns): . as $row | if $row == null then null else
	reduce range($columns | length) as $i ({}; .[$columns[$i]] = $row[$i]) end;

def action($op; $relid; $id; $body): ["X", $op, $relid, "users", "\($id)", null, null, $body];

# The state holds the names of the columns, by relid, of the tables that are mapped.
foreach (., inputs) as $f ({};
	if $f[0] == "R" and $f[2:4] == ["public", "users"]
	then ."\($f[1])" = [$f[5][][0]] else . end;

	."\($f[1])" as $columns
	| if $f[0] | inside("IUDST") | not then $f
	elif $f[0] == "T" or $columns == null then empty
	else
		(if $f[0] == "D" then null else $f[2] end | named($columns)) as $new
		| ({D: $f[2], U: $f[3]}[$f[0]] | named($columns)) as $old
		| (if $old != null and $old.id != $new.id
			then action("delete"; $f[1]; $old.id; null) else empty end),
		(if $new == null then empty
		elif any($new[]; absent)
		then action("reject"; $f[1]; $new.id; "a value was not sent")
		elif $f[0] == "U"
		then action("index"; $f[1]; $new.id;
			$new + {old_name: ($old.name | if absent then null else . end)} | tojson)
		else action("index"; $f[1]; $new.id; $new | tojson) end)
	end)
