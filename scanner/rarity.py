"""How rare the pairs of letters in a value are: English words and names of things are common."""

from scanner.lazy import lazy

_RUNS = lazy(r"[a-z]+")
_LEAST, _GROUPED = 8, 16
# Pairs of letters that are seldom found in words of European languages or in identifiers.
_SELDOM = frozenset(
    """bc bd bf bg bh bk bm bn bp bq bv bw bx bz cb cd cf cg cj cm cn cp cq cv cw cx cz dx dz fb fc fd
    fg fh fj fk fm fn fp fq fv fw fx fz gb gc gd gf gj gk gp gq gv gw gx gz hb hc hd hf hg hj hk hp hq
    hv hw hx hz ij iq iw iy jb jc jd jf jg jh jj jk jl jm jn jp jq jr js jt jv jw jx jy jz kb kc kd kf
    kg kj kk km kp kq kt kv kw kx kz lh lj lq lr lx lz mc md mf mg mh mj mk mq mr mt mv mw mx mz nj nq
    nr nx pb pc pd pf pg pj pk pm pn pq pv pw px pz qa qb qc qd qe qf qg qh qi qj qk ql qm qn qo qp qq
    qr qs qt qv qw qx qy qz rj rq rx rz sb sd sf sg sj sq sv sx sz tb td tf tg tj tk tp tq tv tx uj uq
    uv uw ux uy uz vb vc vd vf vg vh vj vk vl vm vn vp vq vr vs vt vu vv vw vx vy vz wb wc wd wf wg wh
    wj wk wm wp wq wt wu wv ww wx wy wz xb xd xf xg xh xj xk xl xm xn xo xq xr xs xu xv xw xx xy xz yb
    yd yf yg yh yj yk yq yu yv yx yy yz zb zc zd zf zg zh zj zk zl zm zn zp zq zr zs zt zu zv zw zx zy
    ae ao aq eh ek eo fu ih ii iu oj oq oz uo""".split()
)  # fmt: skip


def rarity(value: str) -> float:
    """Return the share of rare pairs among the pairs of letters, in coarse steps; 0 if too few.

    Damped on purpose: short values get no score, for a password is a word as often as not.
    """
    pairs = rare = 0
    for run in _RUNS.findall(value.lower()):
        pairs += len(run) - 1
        rare += sum(run[at : at + 2] in _SELDOM for at in range(len(run) - 1))
    if pairs < _LEAST:
        return 0.0
    share = rare / pairs
    return round(min(share, 0.4) * 5) / 5 if pairs >= _GROUPED else round(min(share, 0.4) * 2.5) / 5
