"""The words the demo corpus is made of: all invented for this project, none from a real song."""


def _list(text: str) -> list[str]:
    return text.split()


# -- lyrics ------------------------------------------------------------------------------------
# These three lists are all that lyrics show of their mood. Each goes from the happiest word to the saddest,
# in equal steps: adjectives, nouns that need no article, verbs that need no object. The lists have the same
# length, and no word occurs twice, here or among the themes.

MOOD_WORDS = {
    "a": _list(
        "golden sunny radiant laughing sparkling bright sweet warm merry lucky gentle shiny free brave easy "
        "wild quiet young plain distant old late slow pale hollow weary bitter cold broken empty lonely grey"
    ),
    "n": _list(
        "laughter sunshine delight honey bliss gladness confetti summer kindness glory wonder sugar hope "
        "courage springtime music thunder paper autumn distance smoke snow dust fog silence winter rain "
        "hunger regret ashes sorrow grief"
    ),
    "v": _list(
        "celebrate smile laugh rejoice shine dance cheer sparkle sing glow bloom jump play rise swing "
        "whistle wander turn wait sway drift whisper tremble stumble fade shiver fall crumble ache mourn "
        "weep cry"
    ),
}

# The subjects of lyrics, which are independent of their mood: singular nouns, and plural nouns.
THEMES: dict[str, dict[str, list[str]]] = {
    "road": {
        "s": _list(
            "highway engine bridge suitcase roadside wheel map bus crossroad valley compass windshield"
        ),
        "p": _list(
            "headlights miles tires truckers signposts motels drivers hitchhikers gears detours maps trailers"
        ),
    },
    "sea": {
        "s": _list("harbor lighthouse anchor tide sailor shoreline island ocean boat bay reef pier"),
        "p": _list(
            "waves sails seagulls ropes shells fishermen currents captains oars dolphins nets beaches"
        ),
    },
    "city": {
        "s": _list(
            "skyline subway avenue tower rooftop taxi sidewalk elevator market alley billboard fountain"
        ),
        "p": _list(
            "strangers buildings crowds pigeons streets sirens vendors offices balconies commuters corners "
            "trams"
        ),
    },
    "home": {
        "s": _list(
            "kitchen porch garden fireplace doorway mother cradle blanket table staircase orchard attic"
        ),
        "p": _list(
            "cousins brothers sisters curtains apples neighbors photographs chairs kettles pillows windows "
            "recipes"
        ),
    },
    "stage": {
        "s": _list(
            "ballroom drummer jukebox rhythm guitar spotlight curtain stage saxophone turntable encore piano"
        ),
        "p": _list(
            "speakers dancers drums fiddles partners tambourines melodies trumpets footsteps records singers "
            "encores"
        ),
    },
    "work": {
        "s": _list(
            "factory foreman hammer shovel paycheck furnace tractor railway quarry warehouse harvest ladder"
        ),
        "p": _list("miners farmers workers tools bricks wagons boots gloves welders carpenters fields plows"),
    },
    "night": {
        "s": _list("moon comet planet telescope midnight galaxy owl horizon sky lantern eclipse meteor"),
        "p": _list(
            "stars fireflies satellites constellations clouds moths crickets dreams wolves candles rockets "
            "heavens"
        ),
    },
}

# Seven words each, so that the number of lines gives the length. Their number is a prime (23): see titles.
LINES = (
    "under the {a} {s} we {v} again",
    "and all the {p} {v} with {n}",
    "there is {n} in the {a} {s}",
    "we {v} between the {p} and {p}",
    "my {s} is {a} with your {n}",
    "you and I {v} by the {s}",
    "see the {a} {p} {v} for us",
    "leave your {n} at the {a} {s}",
    "I heard the {s} {v} like {n}",
    "the {s} and the {p} {v} on",
    "tell me what the {a} {p} know",
    "every {s} knows the sound of {n}",
    "come and {v} through the {a} {s}",
    "nothing but {n} over the {a} {p}",
    "so we {v} along the {a} {p}",
    "I remember {n} and the {a} {s}",
    "call it {n}, call it a {s}",
    "hold me while the {p} {v} on",
    "don't let the {a} {p} {v} away",
    "I'm the {n} in your {a} {s}",
    "it's the {a} {s} we {v} for",
    "{v} with me and the {a} {p}",
    "who will {v} when the {p} {v}",
)
LINE_WORDS = 7
FILLERS = ("la", "oh", "yeah", "na", "hey")  # they bring lyrics to their length

OTHER_LANGUAGES = {
    "spanish": _list(
        "la luna sobre el camino y mi corazón que espera bajo tu ventana cuando llueve nadie canta como "
        "nosotros hasta mañana siempre el río lleva las palabras"
    ),
    "german": _list(
        "der mond steht über dem fluss und mein herz wartet auf dich wenn es regnet singt niemand so wie wir "
        "bis morgen immer trägt der wind unsere worte"
    ),
    "french": _list(
        "la lune sur le chemin et mon cœur qui attend sous ta fenêtre quand il pleut personne ne chante "
        "comme nous jusqu'au matin toujours le vent porte les mots"
    ),
    "italian": _list(
        "la luna sopra la strada e il mio cuore che aspetta sotto la tua finestra quando piove nessuno canta "
        "come noi fino a domani sempre il vento porta le parole"
    ),
}

# -- titles and artists ------------------------------------------------------------------------
# One template for each song of an artist (24 at most), so that no two titles of an artist are similar.
TITLES = (
    "{m} {n}",
    "The {n} Is {m}",
    "My {m} {n} and I",
    "Another {m} {n} Goes By",
    "{n} in a {m} Frame",
    "Song for a {m} {n}",
    "When the {n} Was {m}",
    "{m} {n} Waltz",
    "No More {m} {n}",
    "Take Me to the {m} {n}",
    "{n}, Always {m}",
    "Postcard from a {m} {n}",
    "Two {m} Hearts, One {n}",
    "Down by the {m} {n}",
    "Who Painted the {n} {m}?",
    "{m} as the {n}",
    "Ballad of the {m} {n}",
    "Give Back My {m} {n}",
    "Every {n} Turns {m}",
    "{m} {n} Serenade",
    "Dear {m} {n}, Goodnight",
    "Chasing the {m} {n}",
    "The Last {m} {n} in Town",
    "Good Morning, {m} {n}",
)
# Titles with a place, a word made of NAME_STARTS and NAME_ENDS.
PLACE_TITLES = (
    "{m} {n} of {p}",
    "Between {p} and a {m} {n}",
    "A {m} {n} over {p}",
    "{p} Had a {m} {n}",
    "Leaving {p} by {m} {n}",
    "{p} and the {m} {n}",
    "What {m} {n}, {p}?",
    "{n} Street, {m} {p}",
)
# Their numbers are primes (61 and 67), so that steps of any length visit every word before any repeats.
MODIFIERS = _list(
    "Amber Ancient Autumn Blue Borrowed Brass Bright Burning Careless Cardboard Copper Crimson Crooked "
    "Crystal Dusty Eastern Electric Endless Faded Familiar Floating Foreign Forgotten Frozen Gentle Glass "
    "Golden Green Hidden Holy Indigo Invisible Ivory Jagged Lonesome Lucky Marble Midnight Narrow Nameless "
    "Northern Orange Paper Patient Purple Quiet Restless Rusty Scarlet Secret Silver Simple Sleepless "
    "Southern Stolen Sudden Tangled Thirsty Velvet Violet Yellow"
)
NOUNS = _list(
    "Anchor Apple Avenue Balloon Bell Blanket Bridge Butterfly Calendar Candle Carousel Castle Cathedral "
    "Cinema Compass Cottage Diamond Dragon Echo Elephant Envelope Factory Feather Fountain Garden Ghost "
    "Guitar Harbor Highway Honeycomb Horizon Hurricane Island Jungle Kingdom Ladder Lantern Lemonade Letter "
    "Lighthouse Machine Magnolia Meadow Mirror Mountain Museum Needle Notebook Ocean Orchid Palace Pendulum "
    "Photograph Piano Prairie Raincoat Ribbon Satellite Shadow Staircase Stranger Suitcase Telephone Thunder "
    "Umbrella Volcano Windmill"
)
FIRST_NAMES = _list(
    "Ada Alma Amélie Anders Anya Astrid August Basil Beatriz Bruno Cassia Cecil Chloé Clara Corin Dalia "
    "Delphine Dorian Edda Elio Elsa Emeric Esmé Fabian Faye Flora Gideon Greta Hollis Ida Imre Inés Ingrid "
    "Iris Jasper Jonas Juno Kalle Kit Leona Linus Lucía Mabel Magnus Marlo Milo Nadia Noor Odell Ondine "
    "Oskar Petra Quill Renée Rufus Saskia Sorrel Thea Ulric Vera Willa Xenia Yusuf Zoë"
)
NAME_STARTS = _list(
    "Abern Alder Ard Ash Bal Barn Beck Bel Birch Black Bran Cald Carr Chal Crom Dal Darn Dun Eld Elm Fal Fen "
    "Fern Gar Glen Grim Had Hal Hart Haw Holm Horn Kel Kest Kir Lang Lark Lin Lor Mar Mer Mil Mor Nor Oak Os "
    "Pem Pen Quar Rad Rav Red Rook Sal Sel Sher Stan Stir Tam Tarn Thorn Tor Ul Vard Ves Wal Wend Whit Wil "
    "Yar"
)
NAME_ENDS = _list(
    "acre aday ander bank berry bourne bridge brook bury by cliff combe cote croft dale den dine don esk ett "
    "field ford gate grave ham hart hurst ington kin land ley low man mere mond more ness quist ridge sen "
    "shaw stead ston strom thorpe ton vale wick win worth"
)
BAND_PLURALS = _list(
    "Admirals Almanacs Ambassadors Arrows Bandits Barons Beacons Bootleggers Cardinals Cavaliers Chameleons "
    "Comets Corsairs Coyotes Daydreamers Diplomats Drifters Embers Falcons Foxes Gamblers Gladiators "
    "Harpoons Hermits Jackals Jesters Kestrels Lanterns Magpies Mariners Marvels Meteors Minstrels Monarchs "
    "Nightjars Nomads Oracles Otters Outriders Painters Panthers Pelicans Pilgrims Pioneers Prophets "
    "Ramblers Ravens Rebels Robins Satellites Scholars Shepherds Skylarks Sparrows Starlings Strangers "
    "Swallows Tempests Travelers Vagabonds"
)
ENSEMBLES = _list(
    "Academy Alliance Assembly Brigade Brothers Carnival Choir Circus Club Collective Committee Company "
    "Conspiracy Council Crew Crusade Department Dynasty Empire Engine Ensemble Exchange Expedition "
    "Experience Express Family Federation Foundation Guild Institute League Library Network Observatory "
    "Orchestra Parade Party Project Quartet Republic Revival Sisters Society Syndicate Theatre Tribe Trio "
    "Union Workshop Zoo"
)

# -- tags --------------------------------------------------------------------------------------

GENRES = (
    "rock", "pop", "folk", "soul", "country", "electronic", "jazz", "Hip-Hop", "indie", "metal", "blues",
    "reggae", "alternative", "punk",
)  # fmt: skip
# Mood words of the paper; the first of each mood is its name.
MOOD_TAGS = {
    "happy": ("happy", "happiness", "cheerful", "joyful"),
    "sad": ("sad", "melancholy", "melancholic", "sadness", "depressing"),
}
# The moods that conf/four-moods.yaml adds: of songs as pleasant as happy ones, and as unpleasant as sad ones.
MORE_MOOD_TAGS = {
    "relaxed": ("relaxed", "relaxing", "calm", "mellow", "peaceful"),
    "angry": ("angry", "anger", "aggressive", "furious"),
}
# Tags that do not decide the mood, including emotions. Their number is a prime (47), as for titles.
FILLER_TAGS = (
    "female vocalists", "male vocalists", "guitar", "piano", "acoustic", "british", "american", "canadian",
    "swedish", "singer-songwriter", "seen live", "favorites", "favourite songs", "Awesome", "catchy",
    "classic", "live", "beautiful", "love", "loved", "60s", "70s", "80s", "90s", "00s", "chill", "chillout",
    "guilty pleasure", "romantic", "covers", "dreamy", "energetic", "concert", "nostalgic", "vinyl", "epic",
    "sexy", "road trip", "summer", "instrumental", "strings", "great lyrics", "duet", "soundtrack", "oldies",
    "workout", "night",
)  # fmt: skip
