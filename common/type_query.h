#ifndef TYPE_QUERY_H
#define TYPE_QUERY_H

/*
 * What types are made of, by the catalog: one row for each, of composite types one for each
 * field.  A condition on t.oid stands between the two parts.
 *
 * Kinds are those of pg_type.typtype, and a for arrays, h for hstore.  A domain has its
 * base's output function, also when that is array_out, so an array is of typtype b.
 */
#define TYPE_QUERY                                                                             \
	"SELECT t.oid, n.nspname, coalesce(e.typname || '[]', t.typname),"                     \
	" CASE WHEN e.oid IS NOT NULL THEN 'a'"                                                \
	" WHEN t.typtype = 'b' AND t.typname = 'hstore' AND EXISTS (SELECT FROM"               \
	" pg_catalog.pg_depend d"                                                              \
	" JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid WHERE d.objid = t.oid"          \
	" AND d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass"                           \
	" AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass"                   \
	" AND d.deptype = 'e' AND x.extname = 'hstore') THEN 'h' ELSE t.typtype::text END,"    \
	" CASE WHEN e.oid IS NOT NULL THEN e.oid WHEN t.typtype = 'd' THEN t.typbasetype"      \
	" WHEN t.typtype = 'r' THEN r.rngsubtype WHEN t.typtype = 'm' THEN r.rngtypid END,"    \
	" e.typdelim, t.typtypmod, f.attname, f.atttypid, f.atttypmod"                         \
	" FROM pg_catalog.pg_type t"                                                           \
	" LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typtype = 'b'"             \
	" AND t.typoutput = 'pg_catalog.array_out'::pg_catalog.regproc"                        \
	" JOIN pg_catalog.pg_namespace n ON n.oid = coalesce(e.typnamespace, t.typnamespace)"  \
	" LEFT JOIN pg_catalog.pg_range r ON t.oid IN (r.rngtypid, r.rngmultitypid)"           \
	" LEFT JOIN pg_catalog.pg_attribute f ON t.typtype = 'c' AND f.attrelid = t.typrelid"  \
	" AND f.attnum > 0 AND NOT f.attisdropped"                                             \
	" WHERE t.oid"
#define TYPE_QUERY_ORDER " ORDER BY t.oid, f.attnum"

/* Its columns. */
enum {
	TYPE_QUERY_OID,
	TYPE_QUERY_SCHEMA,
	TYPE_QUERY_NAME, /* of an array its element's, with [] */
	TYPE_QUERY_KIND,
	TYPE_QUERY_OF, /* an array's element, a range's subtype, a multirange's range, a base */
	TYPE_QUERY_DELIMITER, /* between an array's elements */
	TYPE_QUERY_TYPMOD,
	TYPE_QUERY_FIELD,
	TYPE_QUERY_FIELD_TYPE,
	TYPE_QUERY_FIELD_TYPMOD,
};

#endif
